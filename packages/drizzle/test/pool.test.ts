import { LakebasePool, type LakebasePoolOptions, lakebasePool } from "@x/lakebase-drizzle";
import { drizzle } from "drizzle-orm/node-postgres";
import { expect, expectTypeOf, test } from "vitest";

test("is made without an environment, and is what Drizzle takes for a pool", () => {
  const pool = lakebasePool({ env: {} });
  expect(pool).toBeInstanceOf(LakebasePool);
  expect(pool.constructor.name).toBe("LakebasePool");
  expectTypeOf(drizzle({ client: pool }).$client).toEqualTypeOf<LakebasePool>();
});

test("lets no option be given that is its own", () => {
  expectTypeOf<LakebasePoolOptions>().not.toHaveProperty("application_name");
  expectTypeOf<LakebasePoolOptions>().not.toHaveProperty("connectionTimeoutMillis");
  // @ts-expect-error a handle and a target: the target belongs to the handle
  const both: LakebasePoolOptions = { lakebase: lakebasePool({ env: {} }).lakebase, endpoint: "x" };
  expect(() => lakebasePool(both)).toThrow(/createLakebase/);
  // @ts-expect-error TLS is always verified
  expect(() => lakebasePool({ env: {}, ssl: { rejectUnauthorized: false } })).toThrow(/always verified/);
});
