import { createLakebase } from "@x/lakebase-core";
import { type LakebaseKnexOptions, lakebaseKnexConfig } from "@x/lakebase-knex";
import knex, { type Knex } from "knex";
import { describe, expect, expectTypeOf, test } from "vitest";

const noEnvironment = { env: {} };

/** The options that an error complains of. */
function refused(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    const { code, problems = [] } = error as { code?: string; problems?: { option: string }[] };
    expect(code).toBe("ERR_LAKEBASE_CONFIG");
    return problems.map(({ option }) => option);
  }
  return [];
}

test("is a configuration of Knex's own kind, and is made without an environment", async () => {
  const config = lakebaseKnexConfig(noEnvironment);
  expectTypeOf(config).toEqualTypeOf<Knex.Config>();
  const db = knex(config);
  expectTypeOf(db).toExtend<Knex>();
  expect(db.client).toBeInstanceOf(knex.Client);
  expect(db.client.dialect).toBe("postgresql");
  expect(db("products").where({ id: 1 }).toString()).toBe(`select * from "products" where "id" = 1`);
  await db.destroy();
});

describe("lets no option be given that is not its own", () => {
  test("by its types", () => {
    expectTypeOf<LakebaseKnexOptions>().not.toHaveProperty("application_name");
    // @ts-expect-error Knex's own, but set by this library
    expect(refused(() => lakebaseKnexConfig({ ...noEnvironment, connection: { password: "x" } }))).toEqual([
      "connection",
    ]);
    // @ts-expect-error Knex's own, which stands beside
    expect(refused(() => lakebaseKnexConfig({ ...noEnvironment, migrations: {} }))).toEqual(["migrations"]);
    // @ts-expect-error an option of the pool
    expect(refused(() => lakebaseKnexConfig({ ...noEnvironment, max: 5 }))).toEqual(["max"]);
    // @ts-expect-error follows from connectTimeoutMs
    const timeout: LakebaseKnexOptions = { ...noEnvironment, pool: { createTimeoutMillis: 5 } };
    expect(refused(() => knex(lakebaseKnexConfig(timeout)))).toEqual(["pool.createTimeoutMillis"]);
    // @ts-expect-error a handle and a target: the target belongs to the handle
    const both: LakebaseKnexOptions = { lakebase: createLakebase(noEnvironment), endpoint: "x" };
    expect(refused(() => lakebaseKnexConfig(both))).toEqual(["endpoint"]);
    // @ts-expect-error TLS is always verified
    expect(refused(() => lakebaseKnexConfig({ ...noEnvironment, ssl: { rejectUnauthorized: false } }))).toEqual([
      "ssl.rejectUnauthorized",
    ]);
  });

  test("in one error, which says where each belongs", () => {
    const options = { ...noEnvironment, client: "pg", version: "17", max: 5, seeds: {}, colour: "blue" };
    const make = () => lakebaseKnexConfig(options as LakebaseKnexOptions);
    expect(refused(make)).toEqual(["client", "version", "max", "seeds", "colour"]);
    expect(make).toThrow(/`max`: give `pool\.max`/);
    expect(make).toThrow(/`seeds`: .*stands beside/);
  });

  test.each(["postgresql://u:p@db.example.com/x", 5, null])("not even where there are none: %j", (options) => {
    expect(refused(() => lakebaseKnexConfig(options as unknown as object))).toEqual(["options"]);
  });
});

describe("lets nothing that stands beside replace what it sets", () => {
  const beside = (more: object) => () => knex({ ...lakebaseKnexConfig(noEnvironment), ...more });

  test.each([
    ["connection", { password: "x" }],
    ["connection", "postgresql://u:p@db.example.com/x"],
    ["connection", () => ({ host: "db.example.com" })],
    ["connection", undefined],
    ["connection", null],
    ["dialect", "pg"],
    ["version", "17"],
    ["pool", 5],
    ["pool", null],
  ])("%s: %j", (option, value) => {
    expect(refused(beside({ [option]: value }))).toEqual([option]);
  });

  test("nor a pool of Knex's own", () => {
    expect(refused(beside({ connection: undefined, connectionPool: {} }))).toEqual(["connection", "connectionPool"]);
    expect(beside({ connectionPool: {} })).toThrow(/connectionPool/);
  });

  test("nor time limits that would hide why a login failed, or a lifetime beyond Lakebase's", () => {
    const pool = { createTimeoutMillis: 1, acquireTimeoutMillis: 30_000, maxConnectionLifetimeMillis: 300_000_000 };
    expect(refused(beside({ acquireConnectionTimeout: 30_000, pool }))).toEqual([
      "pool.createTimeoutMillis",
      "acquireConnectionTimeout",
      "pool.acquireTimeoutMillis",
      "pool.maxConnectionLifetimeMillis",
    ]);
    for (const maxConnectionLifetimeMillis of [-1, Number.NaN]) {
      expect(refused(beside({ pool: { maxConnectionLifetimeMillis } }))).toEqual(["pool.maxConnectionLifetimeMillis"]);
    }
  });

  test("nor what belongs into it, which Knex would pass over in silence", () => {
    const ours = { applicationName: "acme+lakebase", statement_timeout: 5, lakebase: createLakebase(noEnvironment) };
    expect(refused(beside({ ...ours, log: {}, debug: false, userParams: {}, database: undefined }))).toEqual(
      Object.keys(ours),
    );
  });

  test("and leaves to Knex what is Knex's to refuse", () => {
    expect(beside({ pool: { maximum: 5 } })).toThrow(/maximum/);
    expect(beside({ pool: { max: 1, min: 2 } })).toThrow(/max is smaller than opt.min/);
  });
});

describe("gives Knex's pool", () => {
  const poolOf = async (options: LakebaseKnexOptions, more: Knex.Config = {}) => {
    const db = knex({ ...lakebaseKnexConfig({ ...noEnvironment, ...options } as LakebaseKnexOptions), ...more });
    const { min, max, idleTimeoutMillis, createTimeoutMillis, acquireTimeoutMillis, propagateCreateError } =
      db.client.pool;
    await db.destroy();
    return { min, max, idleTimeoutMillis, createTimeoutMillis, acquireTimeoutMillis, propagateCreateError };
  };
  const usual = {
    min: 0,
    max: 10,
    idleTimeoutMillis: 30_000,
    createTimeoutMillis: 60_000,
    acquireTimeoutMillis: 60_000,
    propagateCreateError: true,
  };

  test("no idle connection to keep, and more time than a login has", async () => {
    expect(await poolOf({})).toEqual(usual);
    expect(await poolOf({ connectTimeoutMs: 90_000 })).toMatchObject({
      createTimeoutMillis: 120_000,
      acquireTimeoutMillis: 120_000,
    });
    const longest = 2 ** 31 - 1;
    expect(await poolOf({ connectTimeoutMs: longest })).toMatchObject({
      createTimeoutMillis: longest,
      acquireTimeoutMillis: longest,
    });
  });

  test("what its user chose, whichever way", async () => {
    expect(await poolOf({ pool: { max: 1 } })).toEqual({ ...usual, max: 1 });
    expect(await poolOf({ pool: { max: 1 } }, { pool: { min: 1 } })).toEqual({ ...usual, min: 1 });
    expect(await poolOf({ pool: { idleTimeoutMillis: 5, acquireTimeoutMillis: 31_000 } })).toEqual({
      ...usual,
      idleTimeoutMillis: 5,
      acquireTimeoutMillis: 31_000,
    });
    expect(await poolOf({}, { acquireConnectionTimeout: 90_000 })).toEqual({ ...usual, acquireTimeoutMillis: 90_000 });
    expect(await poolOf({ pool: undefined }, {})).toEqual(usual);
  });
});
