import { createLakebase, type LakebaseError } from "@x/lakebase-core";
import { type LakebasePostgresOptions, lakebasePostgres } from "@x/lakebase-postgres-js";
import postgres from "postgres";
import { describe, expect, expectTypeOf, test } from "vitest";

const env = {};

/** The problems of options that must be refused; much of their use is JavaScript, so they need not be of the type. */
function problems(options: unknown): Record<string, string> {
  try {
    lakebasePostgres(options as LakebasePostgresOptions);
  } catch (error) {
    const { code, problems } = error as LakebaseError;
    expect(code).toBe("ERR_LAKEBASE_CONFIG");
    return Object.fromEntries((problems ?? []).map(({ option, message }) => [option, message]));
  }
  throw new Error("the options were taken");
}

test("is what postgres() returns, and is made without an environment", () => {
  const sql = lakebasePostgres({ env });
  expectTypeOf(sql).toEqualTypeOf<postgres.Sql>();
  expectTypeOf(sql).toEqualTypeOf(postgres());
  expect(Object.keys(sql).sort()).toEqual(Object.keys(postgres()).sort());
});

test("leaves the inference of postgres.js as it is", () => {
  const sql = lakebasePostgres({ env });
  // Not called: there is nothing to ask.
  const ask = () => sql<{ id: number }[]>`select 1 as id`;
  const transact = () => sql.begin(async (tx) => tx<[{ one: 1 }]>`select 1 as one`);
  expectTypeOf(ask).returns.resolves.items.toEqualTypeOf<{ id: number }>();
  expectTypeOf(transact).returns.resolves.toExtend<[{ one: 1 }]>();

  type At = [x: number, y: number];
  const point = {
    to: 600,
    from: [600],
    serialize: (at: At) => `(${at})`,
    parse: (text: string): At => JSON.parse(text),
  };
  const types = { point };
  const custom = lakebasePostgres({ env, types });
  expectTypeOf(custom).toEqualTypeOf(postgres({ types }));
  expectTypeOf(custom.types.point).parameter(0).toEqualTypeOf<At>();
});

test("has the defaults that suit Lakebase, and leaves the rest to postgres.js", () => {
  const { options } = lakebasePostgres({ env });
  expect(options).toMatchObject({ max: 10, idle_timeout: 30, keep_alive: 60, prepare: true, fetch_types: true });
  const lifetime = options.max_lifetime as unknown as () => number;
  const lifetimes = Array.from({ length: 100 }, lifetime);
  expect(Math.min(...lifetimes)).toBeGreaterThanOrEqual(3240);
  expect(Math.max(...lifetimes)).toBeLessThanOrEqual(3960);
  expect(new Set(lifetimes).size).toBeGreaterThan(90);
  const given = { max: 3, idle_timeout: 0, keep_alive: null, prepare: false, max_pipeline: 7, max_lifetime: null };
  const own = lakebasePostgres({ env, ...given }).options;
  expect(own).toMatchObject({ ...given, max_lifetime: expect.any(Function) });
  expect((own.max_lifetime as unknown as () => number)()).toBe(0);
});

describe("refuses", () => {
  test.each([
    ["hostname", "db", "give `host`"],
    ["db", "x", "give `database`"],
    ["username", "x", "give `user`"],
    ["pass", "x", "give `password`"],
    ["path", "/tmp", "TCP"],
    ["connect_timeout", 5, "give `connectTimeoutMs`"],
    ["socket", () => {}, "set by this library"],
    ["sslnegotiation", "direct", "set by this library"],
    ["target_session_attrs", "read-write", "give `access`"],
    ["timeout", 5, "idle_timeout"],
    ["no_prepare", true, "prepare: false"],
    ["application_name", "x", "give `applicationName`"],
    ["ssl", "require", "always verified"],
    ["host", ["a.example", "b.example"], "must be a string"],
    ["max", 0, "whole number from 1"],
    ["max_lifetime", 300_000, "216000"],
    ["colour", "blue", "not an option"],
  ])("%s: %j", (option, value, message) => {
    expect(problems({ env, [option]: value })).toEqual({ [option]: expect.stringContaining(message) });
  });

  test.each(["user", "database", "application_name"])("%s among the parameters of the startup packet", (name) => {
    expect(problems({ env, connection: { [name]: "x", statement_timeout: 5 } })).toEqual({
      [`connection.${name}`]: expect.stringContaining("set by this library"),
    });
  });

  test("a URL, which is the option `connectionString`", () => {
    expect(Object.values(problems("postgres://a@b/c")).join()).toContain("must be an object");
  });

  test("target and identity beside a handle", () => {
    expect(Object.keys(problems({ lakebase: createLakebase({ env }), endpoint: "x", user: "y" }))).toEqual([
      "endpoint",
      "user",
    ]);
  });

  test("what it owns by its type, too", () => {
    expectTypeOf<LakebasePostgresOptions>().not.toHaveProperty("socket");
    expectTypeOf<LakebasePostgresOptions>().not.toHaveProperty("connect_timeout");
    // @ts-expect-error TLS is always verified
    expect(() => lakebasePostgres({ env, ssl: "require" })).toThrow(/always verified/);
    // @ts-expect-error the name has an option of its own
    expect(() => lakebasePostgres({ env, connection: { application_name: "x" } })).toThrow(/applicationName/);
    // @ts-expect-error a handle and a target: the target belongs to the handle
    expect(() => lakebasePostgres({ lakebase: createLakebase({ env }), endpoint: "x" })).toThrow(/createLakebase/);
  });
});
