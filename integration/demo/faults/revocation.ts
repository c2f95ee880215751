import { nextOfPool, type Stage } from "./stage.ts";

export interface Revocation {
  tokenId: string;
  /** Credentials given out from the revocation until the next login that was let in. */
  mints: number;
}

/** Makes the token void that is in use, long before its time. */
export async function revokeToken(stage: Stage): Promise<Revocation> {
  const { local, tokens, say, signal } = stage;
  const credentials = () => local.issued.filter(({ kind }) => kind === "credential");
  // A young one: an old one might be replaced before anybody has tried it again, and nothing would be seen.
  await tokens.untilYoung(0.1, signal);
  const before = credentials();
  const tokenId = before.at(-1)?.id ?? "";
  const inUse = () => local.logins.some((login) => login.tokenId === tokenId && login.outcome === "accepted");
  while (!inUse()) await nextOfPool(stage, "connect");
  const survived = Promise.all([tokens.next("loginRejected", signal), tokens.next("refresh", signal)]);
  local.revoke(tokenId);
  say(`The token in use, ${tokenId}, is revoked.`);
  await survived;
  await nextOfPool(stage, "connect");
  const mints = credentials().length - before.length;
  const refused = local.logins.filter((login) => login.tokenId === tokenId && login.outcome === "refused").length;
  say(`${refused} ${refused === 1 ? "login was" : "logins were"} refused and replayed; that took ${mints} new token.`);
  return { tokenId, mints };
}
