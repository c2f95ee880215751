import { once } from "node:events";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, createClient, credential, openClient, refusal, until } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterEach(() => lakebase.faults.clear());
afterAll(() => lakebase?.close());

const discovery = "/.well-known/databricks-config";

test("meets only the requests whose path begins as the fault says", async () => {
  const fault = lakebase.faults.api({ on: "discovery", path: "/.well-known/", kind: "status", status: 404 });
  const statuses = await Promise.all(
    ["/.well-known/databricks-config", "/oidc/.well-known/oauth-authorization-server"].map(
      async (path) => (await callWorkspace(lakebase, path)).status,
    ),
  );
  expect(statuses).toEqual([404, 200]);
  fault.clear();
});

test("answers with a status and Retry-After as often as asked", async () => {
  const fault = lakebase.faults.api({ on: "discovery", times: 2, kind: "status", status: 429, retryAfter: 7 });
  const replies = [];
  for (let call = 0; call < 3; call += 1) replies.push(await callWorkspace(lakebase, discovery));
  expect(replies.map(({ status }) => status)).toEqual([429, 429, 200]);
  expect(replies[0]).toMatchObject({ headers: { "retry-after": "7" }, json: { error_code: "REQUEST_LIMIT_EXCEEDED" } });
  expect(fault.hits).toBe(2);
  expect(lakebase.requests.at(-2)?.status).toBe(429);
});

test("sends a body and a type of the caller's choice", async () => {
  lakebase.faults.api({ kind: "status", status: 502, body: "<html>", contentType: "text/html" });
  const reply = await callWorkspace(lakebase, discovery);
  expect(reply).toMatchObject({ status: 502, text: "<html>", headers: { "content-type": "text/html" } });
});

test("meets only the operation that it is for, until it is cleared", async () => {
  const fault = lakebase.faults.api({ on: "token", kind: "status", status: 503 });
  expect((await callWorkspace(lakebase, discovery)).status).toBe(200);
  expect((await callWorkspace(lakebase, "/oidc/v1/token", { method: "POST" })).status).toBe(503);
  fault.clear();
  expect((await callWorkspace(lakebase, "/oidc/v1/token", { method: "POST" })).status).toBe(400);
});

test("leaves a request without an answer", async () => {
  const fault = lakebase.faults.api({ kind: "hang" });
  let settled = false;
  void callWorkspace(lakebase, discovery).then(
    () => {
      settled = true;
    },
    () => {},
  );
  await until(() => fault.hits === 1);
  lakebase.clock.advance(3_600_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  expect(lakebase.requests.at(-1)?.status).toBeUndefined();
});

test("cuts a request with a reset", async () => {
  lakebase.faults.api({ kind: "reset", times: 1 });
  await expect(callWorkspace(lakebase, discovery)).rejects.toMatchObject({ code: "ECONNRESET" });
  expect((await callWorkspace(lakebase, discovery)).status).toBe(200);
});

test("answers late by the local clock", async () => {
  const fault = lakebase.faults.api({ kind: "slow", delayMs: 3_600_000 });
  const reply = callWorkspace(lakebase, discovery);
  await until(() => fault.hits === 1);
  lakebase.clock.advance(3_600_000);
  expect((await reply).status).toBe(200);
});

test("refuses a login with an error of the caller's choice", async () => {
  const password = await credential(lakebase);
  const fault = lakebase.faults.login({ times: 1, kind: "refuse", sqlState: "53300", message: "too many" });
  expect(await refusal(lakebase, { password })).toEqual({ code: "53300", severity: "FATAL", message: "too many" });
  expect(lakebase.logins.at(-1)).toMatchObject({ outcome: "refused", sqlState: "53300", message: "too many" });
  expect(lakebase.logins.at(-1)?.passwordBytes).toBeGreaterThan(0);
  expect(await refusal(lakebase, { password })).toEqual({ accepted: true });
  expect(fault.hits).toBe(1);
});

test("refuses in each phase, also the password of a native role", async () => {
  const error = { kind: "refuse", sqlState: "57P03", message: "not yet" } as const;
  const password = await credential(lakebase);
  lakebase.faults.login({ ...error, phase: "startup", times: 1 });
  expect(await refusal(lakebase, { password })).toMatchObject({ code: "57P03" });
  expect(lakebase.logins.at(-1)?.passwordBytes).toBe(0);
  lakebase.faults.login({ ...error, phase: "ssl-request", times: 1 });
  expect(await refusal(lakebase, { password })).toMatchObject({ message: expect.stringMatching(/SSL/) });
  lakebase.faults.login({ ...error, phase: "accept", times: 1 });
  expect(await refusal(lakebase, { password })).toMatchObject({ message: expect.stringMatching(/SSL/) });
  lakebase.faults.login({ ...error, times: 1 });
  expect(await refusal(lakebase, { ...lakebase.nativeRole })).toMatchObject({ code: "57P03" });
});

test.each(["accept", "ssl-request", "startup", "password"] as const)("hangs a login at %s", async (phase) => {
  const password = await credential(lakebase);
  const fault = lakebase.faults.login({ kind: "hang", phase, times: 1 });
  const client = createClient(lakebase, { password });
  const outcome = client.connect().catch(() => "failed");
  await until(() => fault.hits === 1);
  const record = lakebase.logins.at(-1);
  if (phase === "startup" || phase === "password") expect(record?.outcome).toBe("pending");
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  if (stream instanceof TLSSocket) stream.destroy();
  else stream.resetAndDestroy();
  expect(await outcome).toBe("failed");
  if (phase === "startup" || phase === "password") await until(() => record?.outcome === "dropped");
});

test.each(["accept", "password"] as const)("resets a login at %s", async (phase) => {
  lakebase.faults.login({ kind: "reset", phase, times: 1 });
  expect(await refusal(lakebase, { password: await credential(lakebase) })).toMatchObject({ code: "ECONNRESET" });
});

test("lets a login in late by the local clock", async () => {
  const password = await credential(lakebase);
  const fault = lakebase.faults.login({ kind: "slow", delayMs: 60_000, times: 1 });
  const client = openClient(lakebase, { password });
  await until(() => fault.hits === 1);
  lakebase.clock.advance(60_000);
  await (await client).end();
});

test.each([
  ["untrusted", /UNABLE_TO_VERIFY|SELF_SIGNED/],
  ["wrong-name", /ALTNAME_INVALID/],
  ["expired", /CERT_HAS_EXPIRED/],
] as const)("shows a certificate that is %s, and no token leaves the client", async (kind, code) => {
  const password = await credential(lakebase);
  const { passwordBytes, apiTlsFailed } = lakebase.connections;
  const requests = lakebase.requests.length;
  const login = lakebase.faults.tls({ on: "login", kind });
  const api = lakebase.faults.tls({ on: "api", kind });
  expect(await refusal(lakebase, { password })).toMatchObject({ code: expect.stringMatching(code) });
  await expect(callWorkspace(lakebase, discovery)).rejects.toMatchObject({ code: expect.stringMatching(code) });
  expect(lakebase.connections.passwordBytes).toBe(passwordBytes);
  expect(lakebase.requests.length).toBe(requests);
  expect([login.hits, api.hits]).toEqual([1, 1]);
  login.clear();
  api.clear();
  expect(await refusal(lakebase, { password })).toEqual({ accepted: true });
  await until(() => lakebase.connections.apiTlsFailed > apiTlsFailed);
});

test("refuses a fault that could never be met", () => {
  expect(() => lakebase.faults.login({ kind: "hang", times: 0 })).toThrow(RangeError);
  // @ts-expect-error a status is wanted, and the compiler says so
  lakebase.faults.api({ kind: "status", retryAfter: 1 });
  // @ts-expect-error there is no such kind
  expect(() => lakebase.faults.tls({ on: "api", kind: "hang" })).toThrow(TypeError);
});

test("ends sessions with 57P01 or with a reset", async () => {
  for (const [how, code] of [
    ["terminate", "57P01"],
    ["reset", "ECONNRESET"],
  ] as const) {
    const client = await openClient(lakebase, { password: await credential(lakebase) });
    const error = once(client, "error");
    expect(lakebase.killConnections(how)).toBe(1);
    expect((await error)[0]).toMatchObject({ code });
    await until(() => lakebase.sessions() === 0);
  }
});

test("ends a session in the middle of a result without breaking the protocol", async () => {
  const client = await openClient(lakebase, { password: await credential(lakebase) });
  const result = client.query("SELECT repeat('x', 1000) FROM generate_series(1, 100000000)").catch((error) => error);
  await until(() => lakebase.sessions() === 1);
  lakebase.killConnections();
  expect((await result).message).toMatch(/terminating connection|Connection terminated/);
});
