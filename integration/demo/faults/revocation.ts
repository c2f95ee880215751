import { type Stage, until } from "./stage.ts";

export interface Revocation {
  /** One, unless it had been replaced before anybody tried it again. */
  tokenIds: string[];
  /** Credentials given out from the revocation until the next login that was let in. */
  mints: number;
}

/** Makes the token void that is in use, long before its time. */
export async function revokeToken(stage: Stage): Promise<Revocation> {
  const { local, tokens, say, signal } = stage;
  const credentials = () => local.issued.filter(({ kind }) => kind === "credential");
  const loginsWith = (tokenId: string, outcome: string) =>
    local.logins.filter((login) => login.tokenId === tokenId && login.outcome === outcome).length;
  const tokenIds: string[] = [];
  for (;;) {
    // A young one: it will not be replaced for its age before somebody has tried it again.
    await tokens.untilYoung(0.1, signal);
    const before = credentials();
    const tokenId = before.at(-1)?.id ?? "";
    await until(stage, () => loginsWith(tokenId, "accepted") > 0);

    const rejected = tokens.next("loginRejected", signal).then(() => true);
    const replaced = tokens.next("refresh", signal).then(() => false);
    local.revoke(tokenId);
    tokenIds.push(tokenId);
    say(`The token in use, ${tokenId}, is revoked.`);
    if (!(await Promise.race([rejected, replaced]))) {
      say("It was replaced before anybody tried it again; so once more.");
      continue;
    }
    await replaced;
    await until(stage, () => loginsWith(credentials().at(-1)?.id ?? "", "accepted") > 0);
    const mints = credentials().length - before.length;
    const refused = loginsWith(tokenId, "refused");
    say(
      `${refused} ${refused === 1 ? "login was" : "logins were"} refused and replayed; that took ${mints} new token.`,
    );
    return { tokenIds, mints };
  }
}
