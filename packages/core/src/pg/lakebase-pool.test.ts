import { describe, expect, test } from "vitest";
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
