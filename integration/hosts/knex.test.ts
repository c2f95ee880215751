import { setImmediate } from "node:timers/promises";
import { findLakebaseError, type LakebaseEvent } from "@x/lakebase-core";
import { type LakebaseKnexOptions, lakebaseKnexConfig } from "@x/lakebase-knex";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import knex, { type Knex } from "knex";
import { afterAll, afterEach, beforeAll, expect, expectTypeOf, test } from "vitest";
import { rejection } from "../contract/world.ts";

interface Book {
  id: number;
  title: string;
  written: Date | null;
}

let local: LocalLakebase;
const opened: Knex[] = [];
const events: LakebaseEvent[] = [];
const warnings: unknown[] = [];

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());
afterEach(async () => {
  local.faults.clear();
  await Promise.all(opened.splice(0).map((db) => db.destroy()));
  events.length = 0;
  warnings.length = 0;
});

function configure(options: LakebaseKnexOptions = {}): Knex.Config {
  const onEvent = (event: LakebaseEvent) => events.push(event);
  return lakebaseKnexConfig({ env: local.env, clock: local.clock, onEvent, ...options } as LakebaseKnexOptions);
}

function open(config: Knex.Config = configure()): Knex {
  const db = knex({ log: { warn: (message) => warnings.push(message) }, ...config });
  opened.push(db);
  return db;
}

test("leaves Knex's own types as they are, and its answers too", async () => {
  const db = open();
  await db.schema.createTable("books", (table) => {
    table.increments("id");
    table.text("title").notNullable();
    table.timestamp("written");
  });
  const inserted = await db<Book>("books").insert({ title: "Notes" }).returning(["id", "title"]);
  expectTypeOf(inserted).toEqualTypeOf<Pick<Book, "id" | "title">[]>();
  expect(inserted).toEqual([{ id: 1, title: "Notes" }]);
  const found = await db<Book>("books").where({ id: 1 }).first();
  expectTypeOf(found).toEqualTypeOf<Book | undefined>();
  expect(found).toEqual({ id: 1, title: "Notes", written: null });
  expect(await db<Book>("books").where({ id: 1 }).update({ title: "More notes" })).toBe(1);
  expect(await db<Book>("books").pluck("title")).toEqual(["More notes"]);
  expect(await db.schema.hasTable("books")).toBe(true);
  expect(await db.raw("select ?::int as n", [7])).toMatchObject({ command: "SELECT", rowCount: 1, rows: [{ n: 7 }] });
  await db.schema.dropTable("books");
});

test("puts the reason of a failed login where Knex would say that its pool is full", async () => {
  const fault = local.faults.api({ on: "credential", kind: "hang" });
  const error = await rejection(open(configure({ connectTimeoutMs: 1000 })).raw("select 1"));
  expect(error).toMatchObject({ name: "LakebaseError", code: "ERR_LAKEBASE_TIMEOUT" });
  expect(error.message).toContain("waiting for a token");
  expect(fault.hits).toBe(1);
});

test("lets Knex say that its pool is full when it is", async () => {
  const db = open({
    ...configure({ connectTimeoutMs: 1500, pool: { max: 1 } }),
    acquireConnectionTimeout: 1501,
  });
  // A first connection, for which no login is in the way.
  await db.raw("select 1");
  await db.transaction(async () => {
    expect(await rejection(db.raw("select 1"))).toBeInstanceOf(knex.KnexTimeoutError);
  });
});

test("fails each query that waits for a login which is refused, and logs in again for the next", async () => {
  const db = open(configure({ pool: { max: 1 } }));
  const fault = local.faults.login({ kind: "refuse", sqlState: "53300", message: "too many connections", times: 3 });
  const errors = await Promise.all([1, 2, 3].map(() => rejection(db.raw("select 1"))));
  expect(errors.map(({ code }) => code)).toEqual(["53300", "53300", "53300"]);
  expect(fault.hits).toBe(3);
  await db.raw("select 1");
});

test("keeps the search path, hooks and events of its user", async () => {
  const seen: string[] = [];
  const afterCreate = (connection: { query(sql: string, done: (error?: Error) => void): void }, done: () => void) =>
    connection.query("set timezone = 'Asia/Kolkata'", done);
  const db = open({
    ...configure({ pool: { afterCreate, validate: () => true }, statement_timeout: 4321 }),
    searchPath: ["shop", "public"],
    wrapIdentifier: (value, wrap) => wrap(value.toLowerCase()),
    postProcessResponse: (result, context) => (context ? { context, result } : result),
  });
  db.on("query", ({ sql }) => seen.push(sql));
  const settings = db
    .select(
      db.raw(
        "current_setting('search_path') as path, current_setting('TimeZone') as zone, current_setting('statement_timeout') as most",
      ),
    )
    .first();
  expect(await settings).toEqual({ path: "shop, public", zone: "Asia/Kolkata", most: "4321ms" });
  expect(await db.select(db.raw("1 as ??", ["ONE"])).queryContext({ tenant: 5 })).toEqual({
    context: { tenant: 5 },
    result: [{ one: 1 }],
  });
  expect(seen).toHaveLength(2);
  expect(db.client.database()).toBe("databricks_postgres");
});

test("cancels at the server what takes longer than its time limit, and goes on", async () => {
  const db = open(configure({ pool: { max: 2 } }));
  const error = await rejection(db.raw("select pg_sleep(32)").timeout(100, { cancel: true }));
  expect(error).toBeInstanceOf(knex.KnexTimeoutError);
  const running = () =>
    db("pg_stat_activity")
      .where({ state: "active" })
      .whereRaw("query like 'select pg_sleep(32)%' and pid <> pg_backend_pid()");
  while ((await running()).length > 0) await setImmediate();
  expect(events.filter(({ type }) => type === "refresh")).toHaveLength(1);
});

test.each([
  ["an hour, give or take a tenth", {}, 3_240_000, 3_960_000],
  ["what its user chose, exactly", { maxConnectionLifetimeMillis: 600_000 }, 600_000, 600_000],
  ["none when its user wants none", { maxConnectionLifetimeMillis: 0 }, undefined, undefined],
])("gives each connection a lifetime: %s", async (_which, pool, least, most) => {
  const db = open(configure({ pool: { ...pool, max: 3 } }));
  const begun = performance.now();
  const connections = await Promise.all([1, 2, 3].map(() => db.client.acquireConnection()));
  const took = performance.now() - begun;
  for (const connection of connections) db.client.releaseConnection(connection);
  const lives = connections.map(({ __knexLifetimeLimit: limit }) => limit && limit - begun);
  for (const life of lives) {
    if (least === undefined) expect(life).toBe(undefined);
    else {
      expect(life).toBeGreaterThanOrEqual(least);
      expect(life).toBeLessThanOrEqual(most + took);
    }
  }
});

test("ends at once while a login waits, and can be ended twice and begun again", async () => {
  const db = open();
  const fault = local.faults.api({ on: "credential", kind: "hang" });
  const failed = rejection(db.raw("select 1"));
  while (fault.hits === 0) await setImmediate();
  await Promise.all([db.destroy(), db.destroy()]);
  await failed;
  await db.destroy();
  await rejection(db.raw("select 1"));
  fault.clear();
  db.initialize();
  expect((await db.raw("select 2 as two")).rows).toEqual([{ two: 2 }]);
});

test("ends a login that destroy() overtakes before it has begun", async () => {
  const db = open();
  const fault = local.faults.api({ on: "credential", kind: "hang" });
  const failed = rejection(db.raw("select 1"));
  await Promise.resolve();
  await db.destroy();
  await failed;
  expect(fault.hits).toBe(0);
});

test("lets what runs come to its end before it is destroyed", async () => {
  const db = open();
  const running = db.raw("select pg_sleep(0.2), 3 as three");
  await db.raw("select 1");
  const slow = running.then(({ rows }) => rows[0].three);
  await db.destroy();
  expect(await slow).toBe(3);
});

test("shares its token between all that is made of one configuration, and ends them one by one", async () => {
  const config = configure();
  const [one, two] = [open(config), open(config)];
  await Promise.all([one.raw("select 1"), two.raw("select 1")]);
  await one.destroy();
  const named = two.withUserParams({ tenant: 5 });
  expect((await named.raw("select 1 as one")).rows).toEqual([{ one: 1 }]);
  local.killConnections("terminate");
  while (events.every(({ type }) => type !== "connectionLost")) await setImmediate();
  expect((await two.raw("select 1 as one")).rows).toEqual([{ one: 1 }]);
  expect(events.filter(({ type }) => type === "refresh")).toHaveLength(1);
  expect(warnings.map(String)).toEqual([expect.stringContaining("terminating connection")]);
});

test("runs seeds and their migrations by Knex's own calls", async () => {
  const db = open();
  const migrations: Knex.MigratorConfig = {
    tableName: "seeded_migrations",
    migrationSource: {
      getMigrations: async () => ["first"],
      getMigrationName: (name: string) => name,
      getMigration: async () => ({
        up: (trx) => trx.schema.createTable("seeded", (table) => void table.integer("id")),
        down: (trx) => trx.schema.dropTable("seeded"),
      }),
    },
  };
  await db.migrate.latest(migrations);
  expect(await db.migrate.status(migrations)).toBe(0);
  const seedSource: Knex.SeedSource<number> = {
    getSeeds: async () => [3, 4],
    getSeed: async (id) => ({ seed: async (trx) => void (await trx("seeded").insert({ id })) }),
  };
  await db.seed.run({ seedSource });
  expect(await db("seeded").orderBy("id")).toEqual([{ id: 3 }, { id: 4 }]);
  await db.migrate.rollback(migrations);
  expect(await db.schema.hasTable("seeded")).toBe(false);
});

test("keeps pg-native out of reach, and the rest of node-postgres where it was", () => {
  const { driver } = open().client;
  expect("native" in driver).toBe(false);
  expect(driver.types.getTypeParser(20)("9")).toBe("9");
});

test("says whose error it is when the identity has no role", async () => {
  const { clientId, clientSecret } = await local.addServicePrincipal({ role: false });
  const env = {
    ...local.env,
    DATABRICKS_CLIENT_ID: clientId,
    DATABRICKS_CLIENT_SECRET: clientSecret,
    PGUSER: clientId,
  };
  const error = await rejection(open(configure({ env })).raw("select 1"));
  expect(findLakebaseError(error)).toBeUndefined();
  expect(error).toMatchObject({ severity: expect.any(String), message: expect.stringContaining("authentication") });
  expect(String(warnings)).not.toContain(clientSecret);
});
