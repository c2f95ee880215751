import { describe, expect, test } from "vitest";
import type { LakebaseError } from "../errors.ts";
import { createLakebase } from "../lakebase.ts";
import { splitPgOptions } from "./driver-options.ts";

const lakebase = createLakebase({ env: {} });
const split = (options: object, kind: "pool" | "client" = "pool") => splitPgOptions(options, kind);

function problems(options: object, kind: "pool" | "client" = "pool") {
  try {
    return split(options, kind).problems;
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
    return (error as LakebaseError).problems ?? [];
  }
}

describe("splitPgOptions", () => {
  test("tells the handle's options, the pool's own and the driver's", () => {
    const endpoint = "projects/a/branches/b/endpoints/c";
    expect(split({ endpoint, database: "orders", max: 5, statement_timeout: 100, keepAlive: undefined })).toEqual({
      lakebase: undefined,
      handle: { endpoint, database: "orders" },
      scope: { database: "orders" },
      driver: { max: 5, statement_timeout: 100 },
      words: expect.anything(),
      problems: [],
    });
  });

  test("leaves target and identity to a handle that is given", () => {
    expect(split({ lakebase, database: "orders", max: 5 })).toMatchObject({ lakebase, scope: { database: "orders" } });
    expect(problems({ lakebase, endpoint: "x", user: "y", env: {} })).toMatchObject([
      { option: "endpoint", message: expect.stringContaining("createLakebase()") },
      { option: "user" },
      { option: "env" },
    ]);
    expect(problems({ lakebase, endpoint: undefined })).toEqual([]);
  });

  test.each([
    ["application_name", "`applicationName`"],
    ["connectionTimeoutMillis", "`connectTimeoutMs`"],
    ["stream", "`hostAddress`"],
    ["Client", "set by this library"],
    ["Promise", "not an option"],
    ["rejectUnauthorized", "always verified"],
    ["sslmode", "always verified"],
    ["binary", "not an option"],
    ["constructor", "not an option"],
    ["toString", "not an option"],
  ])("refuses `%s` and says what to do", (option, hint) => {
    expect(problems({ [option]: "x" })).toEqual([{ option, message: expect.stringContaining(hint) }]);
  });

  test("refuses a pool's option for a single client", () => {
    expect(problems({ max: 5 }, "client")).toMatchObject([{ option: "max" }]);
  });

  test("says of an option of the host what its adapter says, and of the others what it says always", () => {
    const hints = { max: "give `pool.max`", stream: "theirs" };
    const options: object = { env: {}, max: 5, stream: 1, colour: 2, Client: 3 };
    const words = { hints, otherwise: "stands beside", verdicts: { slaves: "are none", access: false } as const };
    expect(splitPgOptions(options, "client", words).problems).toEqual([
      { option: "slaves", message: "are none" },
      { option: "max", message: "give `pool.max`" },
      { option: "stream", message: "theirs" },
      { option: "colour", message: "stands beside" },
      { option: "Client", message: "is set by this library" },
    ]);
  });

  test.each([
    [{ max: 0 }, "max"],
    [{ max: 1.5 }, "max"],
    [{ max: "10" }, "max"],
    [{ min: -1 }, "min"],
    [{ max: 2, min: 3 }, "min"],
    [{ maxLifetimeSeconds: -1 }, "maxLifetimeSeconds"],
    [{ maxLifetimeSeconds: Number.NaN }, "maxLifetimeSeconds"],
    [{ maxLifetimeSeconds: 300_000 }, "maxLifetimeSeconds"],
  ])("refuses %j", (options, option) => {
    expect(problems(options)).toMatchObject([{ option }]);
  });

  test.each([null, 42, "postgresql://localhost"])("refuses %j in place of options", (options) => {
    expect(problems(options as never)).toEqual([{ option: "options", message: "must be an object" }]);
  });

  test("lists every problem", () => {
    expect(problems({ max: 0, min: -1, x: 1 })).toHaveLength(3);
  });
});
