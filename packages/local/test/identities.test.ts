import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, credential, openClient, refusal, tokenRequest } from "./clients.ts";

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

test("gives for the secret of a service principal only the scopes that it was made for", async () => {
  const principal = await lakebase.addServicePrincipal({ role: false, scopes: ["postgres"] });
  const ask = (scope: string) =>
    callWorkspace(lakebase, "/oidc/v1/token", {
      ...tokenRequest(principal),
      body: `grant_type=client_credentials&scope=${scope}`,
    });
  expect(await ask("postgres")).toMatchObject({ status: 200, json: { scope: "postgres" } });
  expect(await ask("all-apis")).toMatchObject({
    status: 400,
    json: { error: "access_denied", error_description: expect.stringMatching(/'all-apis' are not assigned/) },
  });
});
