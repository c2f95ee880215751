import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { credential, openClient, refusal } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

test("adds 500 people with their roles, each of whom logs in as itself", async () => {
  const people = await lakebase.addPeople(500);
  expect(new Set(people.map(({ userName }) => userName)).size).toBe(500);
  const chosen = people.filter((_, n) => n % 100 === 99);
  for (const { userName } of chosen) {
    const bearer = await lakebase.issueWorkspaceToken(userName);
    const client = await openClient(lakebase, { user: userName, password: await credential(lakebase, bearer) });
    expect((await client.query("SELECT current_user::text AS me")).rows).toEqual([{ me: userName }]);
    await client.end();
  }
  const [first, second] = people;
  const password = await credential(lakebase, String(first?.personalAccessToken));
  expect(await refusal(lakebase, { user: String(second?.userName), password })).not.toHaveProperty("accepted");
});

test("adds people by name, without roles if so asked, and nobody twice", async () => {
  const [grace] = await lakebase.addPeople(["grace@example.com"], { role: false });
  const password = await credential(lakebase, String(grace?.personalAccessToken));
  expect(await refusal(lakebase, { user: "grace@example.com", password })).toMatchObject({
    message: "password authentication failed for user 'grace@example.com'",
  });
  await expect(lakebase.addPeople(["grace@example.com"])).rejects.toThrow(/already has somebody/);
  expect(await lakebase.addPeople([])).toEqual([]);
});
