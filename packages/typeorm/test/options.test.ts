import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LakebasePool } from "@x/lakebase-core/pg";
import {
  type LakebaseDataSourceOptions,
  type LakebaseTypeormOptions,
  lakebaseDataSourceOptions,
} from "@x/lakebase-typeorm";
import { DataSource, type DataSourceOptions, EntitySchema } from "typeorm";
import { expect, expectTypeOf, test } from "vitest";

type PostgresOptions = Extract<DataSourceOptions, { type: "postgres" }>;
interface User {
  id: number;
  email: string | null;
}
const users = new EntitySchema<User>({
  name: "user",
  columns: { id: { type: Number, primary: true }, email: { type: "text", nullable: true } },
});

test("are TypeORM's options for Postgres, and leave its types as they are", () => {
  const options = lakebaseDataSourceOptions({ env: {}, replication: { slaves: [{ access: "read-only" }] } });
  expectTypeOf(options).toEqualTypeOf<LakebaseDataSourceOptions>();
  expectTypeOf(options).toExtend<PostgresOptions>();
  expectTypeOf(options.type).toEqualTypeOf<"postgres">();
  const dataSource = new DataSource({ ...options, poolSize: 20, schema: "shop", parseInt8: true, entities: [users] });
  const find = () => dataSource.getRepository(users).find();
  expectTypeOf(find).returns.resolves.toEqualTypeOf<User[]>();
  expect(dataSource.options).toMatchObject({ type: "postgres", poolSize: 20, schema: "shop" });
  // @ts-expect-error an option of another database
  expect(new DataSource({ ...options, charset: "utf8" })).toBeInstanceOf(DataSource);
});

test("are made without an environment, and show nothing but what they are", () => {
  const { driver, ...rest } = lakebaseDataSourceOptions({ env: {} });
  expect(rest).toEqual({ type: "postgres", ssl: { rejectUnauthorized: true } });
  expect(Object.keys(driver)).toEqual(["Pool", "defaults", "end"]);
  const { ssl, replication } = lakebaseDataSourceOptions({
    env: {},
    replication: { slaves: [{ access: "read-only" }, { access: "read-only" }], defaultMode: "master" },
  });
  expect(replication).toEqual({ master: { ssl }, slaves: [{ ssl }, { ssl }], defaultMode: "master" });
});

test("make pools that are node-postgres', on one handle", () => {
  const { driver, ssl } = lakebaseDataSourceOptions({ env: {}, max: 3, idleTimeoutMillis: 5 });
  const pools = [1, 2].map(() => new driver.Pool({ ssl, host: undefined, max: 3, maxUses: 7 }));
  for (const pool of pools) {
    expect(pool).toBeInstanceOf(LakebasePool);
    expect(pool.options).toMatchObject({ max: 3, idleTimeoutMillis: 5, maxUses: 7 });
    expect(pool.lakebase).toBe(pools[0]?.lakebase);
  }
});

test("do not hold a pool that TypeORM has forgotten", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  const { driver, ssl } = lakebaseDataSourceOptions({ env: {} });
  const pools = Array.from({ length: 50 }, () => new WeakRef(new driver.Pool({ ssl })));
  // A weak reference holds its object until the end of the task that looked at it.
  await setImmediate();
  collectGarbage();
  expect(pools.filter((pool) => pool.deref())).toEqual([]);
});

test("let no option be given that is their own", () => {
  expectTypeOf<LakebaseTypeormOptions>().not.toHaveProperty("application_name");
  expectTypeOf<LakebaseTypeormOptions>().not.toHaveProperty("connectionTimeoutMillis");
  const { lakebase } = new LakebasePool({ env: {} });
  // @ts-expect-error a handle and a target: the target belongs to the handle
  expect(() => lakebaseDataSourceOptions({ lakebase, endpoint: "x" })).toThrow(/createLakebase/);
  // @ts-expect-error TLS is always verified
  expect(() => lakebaseDataSourceOptions({ env: {}, ssl: { rejectUnauthorized: false } })).toThrow(/always verified/);
  // @ts-expect-error TypeORM's word; it stands beside
  expect(() => lakebaseDataSourceOptions({ env: {}, poolSize: 3 })).toThrow(/`poolSize`.*stands beside/);
  // @ts-expect-error TypeORM's word, and ours is another
  expect(() => lakebaseDataSourceOptions({ env: {}, username: "x" })).toThrow(/`username`.*give `user`/);
  // @ts-expect-error a slave is the same target
  const foreign: LakebaseTypeormOptions = { env: {}, replication: { slaves: [{ host: "db.example.com" }] } };
  expect(() => lakebaseDataSourceOptions(foreign)).toThrow(/replication\.slaves/);
  // @ts-expect-error decided by `replication`, and told at run time too
  const both: LakebaseTypeormOptions = { env: {}, access: "read-only", replication: { slaves: [] } };
  expect(() => lakebaseDataSourceOptions(both)).toThrow(/`access`/);
});

test.each([[null], ["postgres://u:p@h/db"], [5], [[]]])("are refused in one error when given %j", (options) => {
  expect(() => lakebaseDataSourceOptions(options as never)).toThrow(
    expect.objectContaining({ problems: [{ option: "options", message: "must be an object" }] }),
  );
});

test.each([null, "yes", { slaves: null }, { slaves: [null] }, { slaves: {} }, {}])(
  "refuse %j as a replication",
  (replication) => {
    expect(() => lakebaseDataSourceOptions({ env: {}, replication } as never)).toThrow(
      expect.objectContaining({ code: "ERR_LAKEBASE_CONFIG", problems: [expect.anything()] }),
    );
  },
);
