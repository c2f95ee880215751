import { expect, test } from "vitest";
import { createSecret } from "../secret.ts";
import type { WorkspaceAuthContext } from "../workspace-auth.ts";
import { ProvedTokens } from "./proved-tokens.ts";

const proved = (key: string, endsAt: number) => ({ key, token: createSecret(key), user: "ada", endsAt });
const context = (forced: boolean) => ({ forced, now: () => 1000 }) as WorkspaceAuthContext;

async function answers(tokens: ProvedTokens): Promise<string[]> {
  const given: string[] = [];
  for (let forced = false; given.length < 10; forced = true) {
    const answer = await tokens.getToken(context(forced)).catch(() => undefined);
    if (!answer) break;
    given.push(answer.token.reveal());
  }
  return given;
}

test("four tokens are kept, those that live longest, and each is tried once", async () => {
  const refused: string[] = [];
  const tokens = new ProvedTokens("ada", (key) => refused.push(key));
  for (const endsAt of [5000, 2000, 7000, 3000, 6000, 4000]) tokens.offer(proved(`until-${endsAt}`, endsAt));
  expect(await answers(tokens)).toEqual(["until-7000", "until-6000", "until-5000", "until-4000"]);
  expect(refused).toEqual(["until-7000", "until-6000", "until-5000", "until-4000"]);
});

test("a token that does not tell its end counts as the one that lives longest, and the last of them as the newest", () => {
  const tokens = new ProvedTokens("ada", () => {});
  expect(tokens.offer(proved("jwt", 5000))).toBe(true);
  expect(tokens.offer(proved("opaque", Number.POSITIVE_INFINITY))).toBe(true);
  expect(tokens.offer(proved("opaque-2", Number.POSITIVE_INFINITY))).toBe(true);
  expect(tokens.offer(proved("opaque", Number.POSITIVE_INFINITY))).toBe(false);
  expect(tokens.offer(proved("jwt-2", 6000))).toBe(false);
});

test("tokens that have ended are not answered", async () => {
  const tokens = new ProvedTokens("ada", () => {});
  tokens.offer(proved("ended", 999));
  await expect(tokens.getToken(context(false))).rejects.toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
});
