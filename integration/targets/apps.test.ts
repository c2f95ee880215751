import { setImmediate } from "node:timers/promises";
import { lakebasePool } from "@x/lakebase-core/pg";
import { lakebasePostgres } from "@x/lakebase-core/postgres-js";
import { expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld } from "../contract/world.ts";

/** In Databricks Apps: what the platform injects for its first database, and at most one variable more. */
const world = createWorld(pgAdapter);
const operations = () => world.requests().map(({ operation }) => operation);
const question =
  "select current_user::text as user, current_database()::text as database, current_setting('application_name') as name";

test("the injected variables alone connect, for three calls to find the endpoint", async () => {
  const { local } = world;
  const env = local.envFor("apps");
  expect(Object.keys(env).sort()).toEqual([
    "DATABRICKS_CLIENT_ID",
    "DATABRICKS_CLIENT_SECRET",
    "DATABRICKS_HOST",
    "LAKEBASE_WORKSPACE_CA",
    "PGAPPNAME",
    "PGDATABASE",
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGUSER",
  ]);
  await using pool = lakebasePool({ env, clock: local.clock, max: 2 });
  expect((await pool.query(question)).rows).toEqual([
    { user: local.servicePrincipal.clientId, database: local.database, name: "local-app" },
  ]);
  expect(operations()).toEqual(["discovery", "token", "projects", "branches", "endpoints", "credential"]);
  expect(world.logins().map(({ host }) => host)).toEqual([local.host]);
  // The second connection, and the next hour, find it known.
  await Promise.all([pool.query("select pg_sleep(0.05)"), pool.query("select 1")]);
  local.clock.advance(3_600_000);
  local.killConnections();
  while (pool.totalCount > 0) await setImmediate();
  await pool.query("select 1");
  expect(operations().filter((operation) => operation === "projects")).toHaveLength(1);
});

test.each([
  ["LAKEBASE_ENDPOINT", "endpoint"],
  ["PGENDPOINT", "endpoint"],
  ["ENDPOINT_NAME", "endpoint"],
  ["LAKEBASE_AUTOSCALING_ENDPOINT", "endpoint"],
] as const)("%s saves the search", async (name, what) => {
  const { local } = world;
  await using pool = lakebasePool({ env: { ...local.envFor("apps"), [name]: local[what] }, clock: local.clock });
  await pool.query(question);
  expect(operations()).toEqual(["discovery", "token", "credential"]);
});

test.each([
  ["LAKEBASE_AUTOSCALING_PROJECT and _BRANCH", ["endpoints"]],
  ["LAKEBASE_AUTOSCALING_PROJECT", ["branches", "endpoints"]],
])("%s shortens it", async (_name, calls) => {
  const { local } = world;
  const [, project = "", , branch = ""] = local.endpoint.split("/");
  const variables = {
    LAKEBASE_AUTOSCALING_PROJECT: project,
    ...(calls.length === 1 ? { LAKEBASE_AUTOSCALING_BRANCH: branch } : {}),
  };
  await using pool = lakebasePool({ env: { ...local.envFor("apps"), ...variables }, clock: local.clock });
  await pool.query(question);
  expect(operations()).toEqual(["discovery", "token", ...calls, "credential"]);
});

test("a Provisioned instance needs one call, and with its name none", async () => {
  const { local } = world;
  const env = { ...local.envFor("apps"), PGHOST: local.instanceHost };
  await using pool = lakebasePool({ env, clock: local.clock });
  await pool.query(question);
  expect(operations()).toEqual(["discovery", "token", "instance", "credential"]);
  await using named = lakebasePool({ env: { ...env, LAKEBASE_INSTANCE_NAME: local.instance }, clock: local.clock });
  await named.query(question);
  expect(operations().slice(4)).toEqual(["discovery", "token", "credential"]);
});

test("postgres.js connects by the injected variables alone too", async () => {
  const { local } = world;
  const sql = lakebasePostgres({ env: local.envFor("apps"), clock: local.clock, max: 1 });
  expect(await sql`select current_user::text as user`).toEqual([{ user: local.servicePrincipal.clientId }]);
  await sql.end();
});

test("another database than the first is not mistaken for it, when its project is named", async () => {
  const { local } = world;
  const second = local.addProject();
  const env = { ...local.envFor("apps"), LAKEBASE_AUTOSCALING_PROJECT: second.name };
  await using pool = lakebasePool({ env, clock: local.clock });
  await expect(pool.query("select 1")).rejects.toMatchObject({
    code: "ERR_LAKEBASE_CONFIG",
    problems: [{ option: "host", variable: "PGHOST", message: expect.stringContaining(`no host of ${second.name}`) }],
  });
  expect(world.arrivals().connections).toBe(0);
});
