import { describe, expect, test } from "vitest";
import { type AdapterWords, refuseOptions, takeOut } from "../driver-options.ts";
import type { LakebaseError } from "../errors.ts";
import { createLakebase } from "../lakebase.ts";
import { LakebasePool, shareHandle } from "./lakebase-pool.ts";

test.each([null, "postgresql://someone@db.example.com/app", 5, []])("refuses %j in the place of options", (options) => {
  expect(() => new LakebasePool(options as never)).toThrow(
    expect.objectContaining({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [expect.objectContaining({ option: "options" })],
    }),
  );
});

test("tells what is wrong for the driver and what is wrong for the handle in one error, in the host's names", () => {
  const bad = { colour: "blue", max: 0, port: 0, database: "\0" } as object;
  const told = (options: object, words?: AdapterWords) => {
    try {
      new LakebasePool(options, "my-orm", words);
    } catch (error) {
      return (error as LakebaseError).problems?.map(({ option }) => option).sort();
    }
    return undefined;
  };
  expect(told({ env: {}, ...bad })).toEqual(["colour", "database", "max", "port"]);
  expect(told({ lakebase: createLakebase({ env: {} }), ...bad })).toEqual(["colour", "database", "max", "port"]);
  const name = (option: string) => (option === "max" ? "poolSize" : `extra.${option}`);
  expect(told({ env: {}, port: 0, max: 0 }, { name })).toEqual(["extra.port", "poolSize"]);
  expect(told({ env: {}, port: 0 }, { name })).toEqual(["extra.port"]);
});

test("keeps the code of a host that must not receive a token", () => {
  const make = (more: object) => () => new LakebasePool({ env: {}, host: "db.example.com", ...more });
  expect(make({})).toThrow(expect.objectContaining({ code: "ERR_LAKEBASE_HOST_REFUSED" }));
  expect(make({ max: 0 })).toThrow(expect.objectContaining({ code: "ERR_LAKEBASE_CONFIG" }));
});

test("takes a host's own options out, and leaves what is no object to be refused", () => {
  const options: { pool?: number; max: number } = { pool: 1, max: 2 };
  expect(takeOut<{ pool?: number }, { max: number }>(options, "pool")).toEqual([{ pool: 1 }, { max: 2 }]);
  expect(options).toEqual({ pool: 1, max: 2 });
  for (const none of [null, 5, "postgresql://u:p@db.example.com/x", ["pool"]]) {
    expect(takeOut<{ pool?: number }, object>(none as never, "pool")).toEqual([{}, none]);
  }
});

test("refuses later what an adapter has something against, and nothing else", () => {
  expect(() => refuseOptions({ a: "is bad", b: false, c: undefined, d: "is worse" })).toThrow(
    expect.objectContaining({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [
        { option: "a", message: "is bad" },
        { option: "d", message: "is worse" },
      ],
    }),
  );
  refuseOptions({ a: false });
});

describe("shareHandle", () => {
  test("puts a handle in the place of target and identity, and keeps what is a pool's", () => {
    const options = { host: "ep-a-b-1.database.us-east-1.cloud.databricks.com", env: {}, database: "orders", max: 3 };
    const { lakebase, ...rest } = shareHandle(options, "my-orm");
    expect(rest).toEqual({ database: "orders", max: 3 });
    const pools = [new LakebasePool({ lakebase, ...rest }), new LakebasePool({ lakebase, access: "read-only" })];
    for (const pool of pools) expect(pool.lakebase).toBe(lakebase);
    expect(lakebase.health().target).toContain(options.host);
  });

  test("leaves a handle that is given as it is", () => {
    const lakebase = createLakebase({ env: {} });
    expect(shareHandle({ lakebase, access: "read-only" }, "my-orm")).toEqual({ lakebase, access: "read-only" });
  });

  test.each([
    ["of the handle", { port: 0 }, "port"],
    ["of the pool", { max: 0 }, "max"],
    ["of what the pool has for itself", { lakebase: createLakebase({ env: {} }), database: "\0" }, "database"],
    ["that nobody knows", { colour: "blue" }, "colour"],
  ])("refuses an option %s at once", (_whose, options, option) => {
    expect(() => shareHandle({ env: "lakebase" in options ? undefined : {}, ...options } as object, "my-orm")).toThrow(
      expect.objectContaining({ code: "ERR_LAKEBASE_CONFIG", problems: [expect.objectContaining({ option })] }),
    );
  });
});
