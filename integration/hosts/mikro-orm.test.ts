import { defineEntity, MikroORM, type Options, p } from "@mikro-orm/postgresql";
import { findLakebaseError } from "@x/lakebase-core";
import { lakebasePoolConfig } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";

const Book = defineEntity({ name: "Book", properties: { id: p.integer().primary(), title: p.text() } });

let local: LocalLakebase;
const poolConfig = (access: "read-write" | "read-only" = "read-write") =>
  lakebasePoolConfig({ env: local.env, clock: local.clock, access }, "mikro-orm");
const open = (options: Options = {}) =>
  new MikroORM({ dbName: local.database, driverOptions: poolConfig(), entities: [Book], ...options });

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
  const orm = open();
  await orm.schema.create();
  await orm.close();
});
afterAll(() => local.close());

test("works with entities, transactions and the second copy of node-postgres that it brings", async () => {
  const orm = open();
  const em = orm.em.fork();
  em.create(Book, { id: 1, title: "Notes" });
  await em.flush();
  const undone = orm.em.fork().transactional(async (tx) => {
    tx.create(Book, { id: 2, title: "never" });
    await tx.flush();
    throw new Error("changed my mind");
  });
  await expect(undone).rejects.toThrow("changed my mind");
  expect((await orm.em.fork().findAll(Book)).map(({ title }) => title)).toEqual(["Notes"]);
  await orm.close();
});

test("reads from a replica that has options of its own", async () => {
  const orm = open({ replicas: [{ name: "reader", driverOptions: poolConfig("read-only") }] });
  const before = local.logins.length;
  await orm.em.fork().find(Book, {});
  expect(local.logins.slice(before).map(({ host }) => host)).toEqual([local.readOnlyHost]);
  await orm.em.fork().transactional((tx) => tx.findAll(Book));
  expect(local.logins.slice(before).map(({ host }) => host)).toEqual([local.readOnlyHost, local.host]);
  await orm.close();
});

test.each<[option: string, options: Options]>([
  ["database", { dbName: "another" }],
  ["host", { host: "db.example.com" }],
  ["user", { user: "somebody" }],
  ["password", { password: "hunter2" }],
  ["port", { port: 6543 }],
])("refuses another %s among MikroORM's own options, at the first login", async (option, options) => {
  const orm = open(options);
  const before = local.connections.accepted;
  const error = await orm.em
    .fork()
    .execute("select 1")
    .catch((reason) => reason);
  expect(findLakebaseError(error)).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{ option }] });
  expect(local.connections.accepted).toBe(before);
  await orm.close();
});
