import { lakebaseTablesFilter } from "@x/lakebase-drizzle";
import { lakebaseTablesFilter as ofPostgresJs } from "@x/lakebase-drizzle/postgres-js";
import { expect, expectTypeOf, test } from "vitest";

test("is there whichever driver a project has, and is what drizzle-kit takes", () => {
  expect(ofPostgresJs).toEqual(lakebaseTablesFilter);
  // drizzle-kit takes no list that is read-only.
  expectTypeOf(lakebaseTablesFilter).toEqualTypeOf<string[]>();
});
