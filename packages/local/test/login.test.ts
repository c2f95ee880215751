import { once } from "node:events";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import {
  credential,
  openClient,
  openRaw,
  readAll,
  refusal,
  sslRequest,
  startTls,
  startup,
  until,
  workspaceToken,
} from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

const autoscaling = { code: "XX000", severity: "ERROR" };
const provisioned = { code: "28P01", severity: "FATAL" };

test("lets the owner of a token in as itself, on both products' hosts", async () => {
  const password = await credential(lakebase);
  for (const host of [lakebase.host, lakebase.instanceHost, "localhost"]) {
    const client = await openClient(lakebase, { host, password });
    const { rows } = await client.query("SELECT current_user::text AS me, current_database() AS db");
    expect(rows).toEqual([{ me: lakebase.servicePrincipal.clientId, db: "databricks_postgres" }]);
    await client.end();
  }
});

test("replays the startup packet unchanged and records it", async () => {
  const client = await openClient(lakebase, {
    password: await credential(lakebase),
    application_name: "acme_Shop/1.2",
    statement_timeout: 4321,
    options: "-c work_mem=5MB",
  });
  const { rows } = await client.query(
    "SELECT current_setting('application_name') a, current_setting('statement_timeout') s, current_setting('work_mem') w",
  );
  expect(rows).toEqual([{ a: "acme_Shop/1.2", s: "4321ms", w: "5MB" }]);
  await client.end();
  const record = lakebase.logins.at(-1);
  expect(record).toMatchObject({
    host: lakebase.host,
    product: "autoscaling",
    user: lakebase.servicePrincipal.clientId,
    database: "databricks_postgres",
    applicationName: "acme_Shop/1.2",
    startup: { statement_timeout: "4321", options: "-c work_mem=5MB" },
    tls: "TLSv1.3",
    outcome: "accepted",
    tokenId: lakebase.issued.at(-1)?.id,
  });
  expect(record?.passwordBytes).toBeGreaterThan(512);
});

test("takes several tokens of one role at the same time", async () => {
  const passwords = [await credential(lakebase), await credential(lakebase), await credential(lakebase)];
  const clients = await Promise.all(passwords.map((password) => openClient(lakebase, { password })));
  expect(new Set(passwords).size).toBe(3);
  await Promise.all(clients.map((client) => client.end()));
});

test("refuses an expired token at login while the open session goes on", async () => {
  const password = await credential(lakebase);
  const client = await openClient(lakebase, { password });
  lakebase.clock.advance(3_601_000);
  const exp = Number(lakebase.issued.at(-1)?.expiresAt) / 1000;
  expect(await refusal(lakebase, { password })).toEqual({
    ...autoscaling,
    message: `JWT token has expired (exp=${exp})`,
  });
  expect(await refusal(lakebase, { password, host: lakebase.instanceHost })).toMatchObject(provisioned);
  expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await client.end();
});

test("refuses a revoked token at login while the open session goes on", async () => {
  const password = await credential(lakebase);
  const client = await openClient(lakebase, { password });
  lakebase.revoke(lakebase.issued.at(-1)?.id ?? "");
  expect(await refusal(lakebase, { password })).toMatchObject(autoscaling);
  const next = await credential(lakebase);
  lakebase.revokeAll();
  expect(await refusal(lakebase, { password: next })).toMatchObject(autoscaling);
  expect(await refusal(lakebase, { password: await credential(lakebase) })).toEqual({ accepted: true });
  expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await client.end();
});

test("refuses what is not a credential, in the words of each product", async () => {
  const token = await credential(lakebase);
  const [head, body, signature = ""] = token.split(".");
  const forged = [head, body, signature.replace(/^./, (letter) => (letter === "A" ? "B" : "A"))].join(".");
  const user = lakebase.servicePrincipal.clientId;
  const notAToken = "Provided authentication token is not a valid JWT encoding";
  const wrong = `password authentication failed for user '${user}'`;
  const passwords: [string, string][] = [
    ["hunter2", notAToken],
    [lakebase.user.personalAccessToken, notAToken],
    [forged, wrong],
    [await workspaceToken(lakebase), wrong],
    [await credential(lakebase, lakebase.user.personalAccessToken), wrong],
  ];
  for (const [password, message] of passwords) {
    expect(await refusal(lakebase, { password })).toEqual({ ...autoscaling, message });
    expect(await refusal(lakebase, { password, host: lakebase.instanceHost })).toEqual({
      ...provisioned,
      message: `Failed to decode token for role "${user}" and native postgres login was either not attempted due to configuration or failed.`,
    });
  }
  expect(lakebase.logins.at(-1)).toMatchObject({ outcome: "refused", sqlState: "28P01", product: "provisioned" });
});

test("lets a person in with the token of that person", async () => {
  const password = await credential(lakebase, lakebase.user.personalAccessToken);
  const client = await openClient(lakebase, { user: lakebase.user.userName, password });
  await expect(client.query("SHOW shared_preload_libraries")).rejects.toMatchObject({ code: "42501" });
  await expect(client.query("CREATE TABLE mine ()")).rejects.toMatchObject({ code: "42501" });
  await client.end();
});

test("refuses an identity that has no role, and lets it in once SQL has made one", async () => {
  const stranger = await lakebase.addServicePrincipal({ role: false });
  const password = await credential(lakebase, await workspaceToken(lakebase, stranger));
  const login = { user: stranger.clientId, password };
  const message = `password authentication failed for user '${stranger.clientId}'`;
  expect(await refusal(lakebase, login)).toEqual({ ...autoscaling, message });
  const owner = await openClient(lakebase, { password: await credential(lakebase) });
  await owner.query("CREATE EXTENSION IF NOT EXISTS databricks_auth");
  await owner.query("SELECT databricks_create_role($1, 'SERVICE_PRINCIPAL')", [stranger.clientId]);
  expect(await refusal(lakebase, login)).toEqual({ accepted: true });
  await owner.end();
});

test("refuses a role that plain SQL has made, since no identity stands behind it", async () => {
  const stranger = await lakebase.addServicePrincipal({ role: false });
  const owner = await openClient(lakebase, { password: await credential(lakebase) });
  await owner.query(`CREATE ROLE "${stranger.clientId}" LOGIN`);
  const password = await credential(lakebase, await workspaceToken(lakebase, stranger));
  expect(await refusal(lakebase, { user: stranger.clientId, password })).toMatchObject(autoscaling);
  await owner.end();
});

test("adds a service principal with a role of few rights", async () => {
  const added = await lakebase.addServicePrincipal();
  const password = await credential(lakebase, await workspaceToken(lakebase, added));
  const client = await openClient(lakebase, { user: added.clientId, password });
  await expect(client.query("CREATE TABLE mine ()")).rejects.toMatchObject({ code: "42501" });
  await client.end();
});

test("leaves the password of a native role to Postgres, by SCRAM", async () => {
  const { user, password } = lakebase.nativeRole;
  for (const host of [lakebase.host, lakebase.pooledHost]) {
    const client = await openClient(lakebase, { host, user, password });
    expect((await client.query("SELECT current_user::text AS me")).rows).toEqual([{ me: user }]);
    await client.end();
  }
  expect(lakebase.logins.at(-1)).toMatchObject({ outcome: "accepted", passwordBytes: 0 });
  expect(await refusal(lakebase, { user, password: "wrong" })).toMatchObject({ code: "28P01", severity: "FATAL" });
  expect(lakebase.logins.at(-1)).toMatchObject({ outcome: "refused", sqlState: "28P01" });
});

test("refuses tokens on a pooled host", async () => {
  const password = await credential(lakebase);
  expect(await refusal(lakebase, { host: lakebase.pooledHost, password })).toEqual({
    ...autoscaling,
    message: "SASL authentication failed",
  });
});

test("refuses a host that is not ours", async () => {
  const host = "ep-other-host-12345678.database.us-west-2.cloud.databricks.com";
  expect(await refusal(lakebase, { host, password: await credential(lakebase) })).toMatchObject({
    ...autoscaling,
    message: expect.stringContaining("endpoint cannot be found"),
  });
  expect(lakebase.logins.at(-1)).toMatchObject({ host, passwordBytes: 0, outcome: "refused" });
});

test("refuses a client that sends no name in TLS", async () => {
  const socket = await openRaw(lakebase);
  socket.write(sslRequest);
  expect(String((await once(socket, "data"))[0])).toBe("S");
  const secured = startTls(lakebase, socket, { servername: "", checkServerIdentity: () => undefined });
  secured.write(startup({ user: lakebase.servicePrincipal.clientId }));
  expect((await readAll(secured)).toString()).toContain("Connection does not have SNI.");
  expect(lakebase.logins.at(-1)).toMatchObject({ host: undefined, outcome: "refused" });
});

test("gives sessions that cannot write on the read-only hosts, and shows them every commit", async () => {
  const password = await credential(lakebase);
  for (const host of [lakebase.readOnlyHost, lakebase.instanceReadOnlyHost]) {
    const writer = await openClient(lakebase, { password });
    const reader = await openClient(lakebase, { host, password, options: "-c work_mem=5MB" });
    await expect(reader.query("CREATE TABLE mine ()")).rejects.toMatchObject({ code: "25006" });
    await expect(reader.query("SET transaction_read_only = off")).rejects.toMatchObject({ code: "0A000" });
    expect((await reader.query("SHOW work_mem")).rows).toEqual([{ work_mem: "5MB" }]);
    for (let round = 0; round < 5; round += 1) {
      await writer.query("CREATE TABLE IF NOT EXISTS written (id int); INSERT INTO written VALUES (1)");
      const { rows } = await reader.query("SELECT count(*)::int AS count FROM written");
      expect(rows).toEqual([{ count: round + 1 }]);
    }
    await writer.query("DROP TABLE written");
    const error = once(reader, "error");
    expect(lakebase.killConnections()).toBe(2);
    expect((await error)[0]).toMatchObject({ code: "57P01" });
    await until(() => lakebase.sessions() === 0);
  }
});

test("passes the words of Postgres on for a database that is not there", async () => {
  const answer = await refusal(lakebase, { database: "nowhere", password: await credential(lakebase) });
  expect(answer).toEqual({ code: "3D000", severity: "FATAL", message: 'database "nowhere" does not exist' });
  expect(lakebase.logins.at(-1)).toMatchObject({ outcome: "refused", sqlState: "3D000", database: "nowhere" });
});

test("shows detection what a Lakebase shows", async () => {
  const client = await openClient(lakebase, { password: await credential(lakebase) });
  expect((await client.query("SHOW shared_preload_libraries")).rows).toEqual([
    { shared_preload_libraries: "neon,pg_stat_statements,databricks_auth" },
  ]);
  const { rows } = await client.query(`SELECT current_setting('neon.lakebase_mode', true) AS mode,
    (SELECT count(*)::int FROM pg_roles WHERE rolname IN ('databricks_superuser', 'databricks_control_plane')) AS roles,
    (SELECT count(*)::int FROM pg_available_extensions WHERE name = 'databricks_auth') AS extension,
    to_regnamespace('__db_system') IS NOT NULL AS schema`);
  expect(rows).toEqual([{ mode: "on", roles: 2, extension: 1, schema: true }]);
  await client.query("CREATE TABLE owned (id int); DROP TABLE owned");
  await client.end();
});
