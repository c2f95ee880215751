import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { configError, LakebaseError } from "./errors.ts";

const pgError = Object.assign(new Error("password authentication failed"), { code: "28P01" });
const ours = new LakebaseError("ERR_LAKEBASE_TIMEOUT", "too slow", { retryable: true, cause: pgError });

describe("LakebaseError", () => {
  test("carries code, cause and whether it is worth another try", () => {
    expect(ours).toMatchObject({
      name: "LakebaseError",
      code: "ERR_LAKEBASE_TIMEOUT",
      retryable: true,
      cause: pgError,
    });
    expect(ours).toBeInstanceOf(Error);
  });

  test("is not retryable unless it says so, and has no fields that say nothing", () => {
    const error = new LakebaseError("ERR_LAKEBASE_TLS", "no");
    expect(error.retryable).toBe(false);
    expect(Object.keys(error).sort()).toEqual(["code", "name", "retryable"]);
    expect("cause" in error).toBe(false);
  });

  test("keeps a cause that is no error", () => {
    expect(new LakebaseError("ERR_LAKEBASE_TLS", "no", { cause: null }).cause).toBeNull();
  });
});

describe("configError", () => {
  test("names option, variable and next step of one problem in one line", () => {
    expect(configError([{ option: "port", variable: "PGPORT", message: "must be a port" }]).message).toBe(
      "Lakebase configuration: `port` (environment: PGPORT): must be a port",
    );
  });

  test("lists several problems in one error, for programs too", () => {
    const problems = [
      { option: "port", message: "must be a port" },
      { option: "host", variable: "PGHOST", message: "must be a host" },
    ];
    const error = configError(problems);
    expect(error.code).toBe("ERR_LAKEBASE_CONFIG");
    expect(error.problems).toEqual(problems);
    expect(error.message.split("\n")).toEqual([
      "Lakebase configuration has 2 problems:",
      "  - `port`: must be a port",
      "  - `host` (environment: PGHOST): must be a host",
    ]);
    expect(inspect(error)).toContain("must be a host");
  });
});
