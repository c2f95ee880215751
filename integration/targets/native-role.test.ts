import { setImmediate } from "node:timers/promises";
import { detectLakebase, type LakebaseEvent } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { lakebasePostgres } from "@x/lakebase-core/postgres-js";
import { describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";

const world = createWorld(pgAdapter);
const native = (host = world.local.host) => {
  const { local } = world;
  const { PGSSLROOTCERT = "" } = local.env;
  return {
    env: { PGSSLROOTCERT },
    host,
    hostAddress: local.hostAddress,
    port: local.port,
    user: local.nativeRole.user,
    password: local.nativeRole.password,
    applicationName: { isv: "acme", product: "shop", version: "1.0" },
    clock: local.clock,
  };
};
const question = "select current_user::text as user, current_setting('application_name') as name";

/** One statement through each driver. */
const drivers = {
  pg: async (options: object) => {
    await using pool = lakebasePool({ ...options, max: 1 });
    return (await pool.query(question)).rows;
  },
  "postgres.js": async (options: object) => {
    const sql = lakebasePostgres({ ...options, max: 1 });
    try {
      return [...(await sql.unsafe(question))];
    } finally {
      await sql.end();
    }
  },
};

describe.each(Object.entries(drivers))("a native role, by %s,", (_driver, ask) => {
  const rows = () => [{ user: world.local.nativeRole.user, name: "acme_shop/1.0" }];

  test("logs in by SCRAM, under its name, and the workspace is not asked", async () => {
    expect(await ask(native())).toEqual(rows());
    expect(world.requests()).toEqual([]);
    expect(world.logins()).toMatchObject([
      { outcome: "accepted", tls: expect.stringMatching(/^TLS/), applicationName: "acme_shop/1.0" },
    ]);
    // SCRAM proves the password and does not send it.
    expect(world.arrivals().passwordBytes).toBe(0);
  });

  test("logs in at a pooler, which tokens may not", async () => {
    expect(await ask(native(world.local.pooledHost))).toEqual(rows());
    expect(world.logins()).toMatchObject([{ host: world.local.pooledHost, outcome: "accepted" }]);
  });

  test.each(["readOnlyHost", "instanceHost", "instanceReadOnlyHost"] as const)("logs in at %s", async (host) => {
    expect(await ask(native(world.local[host]))).toEqual(rows());
  });

  test("comes from PGHOST, PGUSER and PGPASSWORD alone", async () => {
    const env = { ...world.local.envFor("native"), PGAPPNAME: "acme_shop/1.0" };
    expect(await ask({ env, clock: world.local.clock })).toEqual(rows());
    expect(world.requests()).toEqual([]);
  });

  test("comes from a connection string", async () => {
    const { user, password, host, hostAddress, port, ...rest } = native();
    const connectionString = `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/databricks_postgres?hostaddr=${hostAddress}`;
    expect(await ask({ ...rest, connectionString })).toEqual(rows());
  });

  test("may have its password from a function, asked at each login", async () => {
    let times = 0;
    const password = async () => {
      times += 1;
      return world.local.nativeRole.password;
    };
    expect(await ask({ ...native(), password })).toEqual(rows());
    expect(times).toBe(1);
  });

  test.each(["wrong-name", "untrusted", "expired"] as const)(
    "sends nothing to a server whose certificate is %s",
    async (kind) => {
      const fault = world.local.faults.tls({ on: "login", kind });
      await rejection(ask({ ...native(), connectTimeoutMs: 5000 }));
      fault.clear();
      expect(world.logins()).toEqual([]);
    },
  );

  test("with a wrong password hears Postgres' own error, once", async () => {
    const error = await rejection(ask({ ...native(), password: "wrong" }));
    expect(error).toMatchObject({ code: "28P01" });
    expect(world.logins().filter(({ outcome }) => outcome === "refused")).toHaveLength(1);
  });
});

test("a native role's pool recognises Lakebase, tells what was lost, and replaces it", async () => {
  const events: LakebaseEvent[] = [];
  await using pool = lakebasePool({ ...native(), max: 2, onEvent: (event) => events.push(event) });
  const found = await detectLakebase(async (text) => (await pool.query(text)).rows);
  expect(found).toMatchObject({ isLakebase: true });
  await Promise.all([pool.query("select pg_sleep(0.05)"), pool.query("select pg_sleep(0.05)")]);
  expect(pool.totalCount).toBe(2);
  world.local.killConnections();
  while (pool.totalCount > 0) await setImmediate();
  expect(events.filter(({ type }) => type === "connectionLost")).toHaveLength(2);
  expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  expect(pool.lakebase.health()).toMatchObject({ status: "ready", token: undefined });
  await expect(pool.lakebase.credential()).rejects.toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
});
