import { describe, expect, test } from "vitest";
import { detectLakebase } from "./detect.ts";

const stock = { lakebase_mode: null, preload_libraries: null, databricks_roles: false, databricks_auth: false };
const detect = (row: object) => detectLakebase(async () => ({ rows: [{ ...stock, ...row }] }));

describe("detectLakebase", () => {
  test.each<[string, object, boolean]>([
    ["a stock server", {}, false],
    ["a stock server seen by a superuser", { preload_libraries: "pg_stat_statements" }, false],
    ["Lakebase, by its mode", { lakebase_mode: "on" }, true],
    ["Neon, by its mode", { lakebase_mode: "off", preload_libraries: "neon" }, false],
    [
      "Lakebase, by the libraries of the partner guide",
      { preload_libraries: "neon, databricks_auth,pg_stat_statements" },
      true,
    ],
    ["a server with one of the libraries", { preload_libraries: "databricks_auth" }, false],
    ["a server with a library of a like name", { preload_libraries: "neon_x,databricks_auth2" }, false],
    ["Lakebase, by roles and extension", { databricks_roles: true, databricks_auth: true }, true],
    ["a server with a role of such a name", { databricks_roles: true }, false],
    ["a server with the extension on offer", { databricks_auth: true }, false],
  ])("knows %s", async (_name, row, isLakebase) => {
    expect((await detect(row)).isLakebase).toBe(isLakebase);
  });

  test("shows what it has seen", async () => {
    expect((await detect({ preload_libraries: " neon ,, databricks_auth" })).evidence).toEqual({
      lakebaseMode: null,
      preloadLibraries: ["neon", "databricks_auth"],
      databricksRoles: false,
      databricksAuth: false,
    });
  });

  test("asks once, with one statement that has no parameters", async () => {
    const asked: string[] = [];
    await detectLakebase(async (sql) => {
      asked.push(sql);
      return [stock];
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatch(/^select\b/);
    expect(asked[0]).not.toMatch(/[;$]|\bshow\b/i);
  });

  test.each([[undefined], [null], [{}], [[]], [{ rows: [] }], [{ rows: 5 }], [[null]], ["text"]])(
    "says what a query function must answer where it answers %j",
    async (answer) => {
      await expect(detectLakebase(async () => answer)).rejects.toThrow(/must answer an array of rows/);
    },
  );

  test("passes on the error of the query", async () => {
    const error = new Error("aborted transaction");
    await expect(detectLakebase(() => Promise.reject(error))).rejects.toBe(error);
  });
});
