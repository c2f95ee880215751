import { once } from "node:events";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, credential, openClient, refusal, until, workspaceToken } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const WAKE_MS = 3_600_000;

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {}, wakeDelayMs: WAKE_MS, tokenLifeSeconds: 30_000 });
});
afterAll(() => lakebase?.close());

const state = async () => {
  const headers = { authorization: `Bearer ${await workspaceToken(lakebase)}` };
  const { json } = await callWorkspace(lakebase, `/api/2.0/postgres/${lakebase.endpoint}`, { headers });
  return (json.status as { current_state: string }).current_state;
};

test("ends the sessions when it suspends, and holds the next login until it is awake", async () => {
  const password = await credential(lakebase);
  const client = await openClient(lakebase, { password });
  const error = once(client, "error");
  expect(lakebase.suspend()).toBe(1);
  expect((await error)[0]).toMatchObject({ code: "57P01" });
  expect(await state()).toBe("IDLE");
  let awake = false;
  const next = openClient(lakebase, { password }).then((opened) => {
    awake = true;
    return opened;
  });
  await until(() => lakebase.logins.at(-1)?.tokenId !== undefined && lakebase.logins.at(-1)?.outcome === "pending");
  expect(await state()).toBe("INIT");
  lakebase.clock.advance(WAKE_MS - 60_000);
  expect(awake).toBe(false);
  lakebase.clock.advance(60_000);
  await (await next).end();
  expect(await state()).toBe("ACTIVE");
});

test("says that it is starting up until it is awake", async () => {
  const password = await credential(lakebase);
  lakebase.suspend({ waking: "starting-up" });
  const startingUp = { code: "57P03", severity: "FATAL", message: "the database system is starting up" };
  expect(await refusal(lakebase, { password })).toEqual(startingUp);
  expect(await refusal(lakebase, { password })).toEqual(startingUp);
  lakebase.clock.advance(WAKE_MS);
  expect(await refusal(lakebase, { password })).toEqual({ accepted: true });
});

test("closes the door until it is awake", async () => {
  const password = await credential(lakebase);
  const logins = lakebase.logins.length;
  lakebase.suspend({ waking: "refuse" });
  expect(await refusal(lakebase, { password })).not.toHaveProperty("accepted");
  expect(lakebase.logins.length).toBe(logins);
  lakebase.clock.advance(WAKE_MS);
  expect(await refusal(lakebase, { password })).toEqual({ accepted: true });
});
