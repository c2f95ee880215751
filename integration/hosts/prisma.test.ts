import { PrismaPg } from "@prisma/adapter-pg";
import { findLakebaseError, isLoginRejected } from "@x/lakebase-core";
import { lakebasePoolConfig } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";

let local: LocalLakebase;
const open = (env = local.env) => new PrismaPg(lakebasePoolConfig({ env, clock: local.clock }, "prisma"));
const one = { sql: "select 1", args: [], argTypes: [] };

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());

test("never takes the real database for Prisma's shadow of it", async () => {
  const factory = open();
  const prisma = await factory.connect();
  await prisma.executeRaw({ ...one, sql: "create table kept (id int)" });
  const shadow = await factory.connectToShadowDb();
  const error = await shadow.executeRaw({ ...one, sql: "drop table kept" }).catch((reason) => reason);
  expect(findLakebaseError(error)).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{ option: "database" }] });
  expect((await prisma.queryRaw({ ...one, sql: "select count(*)::int from kept" })).rows).toEqual([[0]]);
  await Promise.all([shadow.dispose(), prisma.dispose()]);
});

test.each(["endpoint", "instance"] as const)("lets a refused login be told from others, for an %s", async (target) => {
  const { clientId, clientSecret } = await local.addServicePrincipal({ role: false });
  const stranger = { DATABRICKS_CLIENT_ID: clientId, DATABRICKS_CLIENT_SECRET: clientSecret, PGUSER: clientId };
  const refused = await open({ ...local.envFor(target), ...stranger }).connect();
  const rejected = await refused.executeRaw(one).catch((reason) => reason);
  expect(rejected.name).toBe("DriverAdapterError");
  expect(isLoginRejected(rejected)).toBe(true);

  local.faults.login({ kind: "refuse", sqlState: "3D000", message: 'database "x" does not exist', times: 1 });
  const elsewhere = await open().connect();
  expect(isLoginRejected(await elsewhere.executeRaw(one).catch((reason) => reason))).toBe(false);
  await Promise.all([refused.dispose(), elsewhere.dispose()]);
});
