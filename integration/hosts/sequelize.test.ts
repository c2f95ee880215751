import { findLakebaseError, isLoginRejected } from "@x/lakebase-core";
import { type LakebasePoolOptions, lakebasePoolConfig } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { ConnectionError, DataTypes, type Options, Sequelize } from "sequelize";
import { afterAll, beforeAll, expect, test } from "vitest";

let local: LocalLakebase;
const open = (options: Options = {}, own: LakebasePoolOptions = {}) => {
  const { Client } = lakebasePoolConfig(
    { env: local.env, clock: local.clock, ...own } as LakebasePoolOptions,
    "sequelize",
  );
  return new Sequelize({ dialect: "postgres", dialectModule: { ...pg, Client }, logging: false, ...options });
};

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());

test("works with models, and asks for the server's version in one login more", async () => {
  const sequelize = open({ pool: { max: 1 } });
  const Book = sequelize.define("book", { title: DataTypes.TEXT });
  await sequelize.sync();
  await Book.create({ title: "Notes" });
  const undone = sequelize.transaction(async (transaction) => {
    await Book.create({ title: "never" }, { transaction });
    throw new Error("changed my mind");
  });
  await expect(undone).rejects.toThrow("changed my mind");
  expect((await Book.findAll()).map((book) => book.get("title"))).toEqual(["Notes"]);
  expect(local.logins).toHaveLength(2);
  await sequelize.close();
});

test.each<[option: string, options: Options]>([
  ["database", { database: "another" }],
  ["host", { host: "db.example.com" }],
  ["user", { username: "somebody" }],
  ["password", { password: "hunter2" }],
  ["ssl", { dialectOptions: { ssl: { rejectUnauthorized: false } } }],
  ["application_name", { dialectOptions: { application_name: "theirs" } }],
  ["connectionTimeoutMillis", { dialectOptions: { connectionTimeoutMillis: 1 } }],
])("refuses another %s among Sequelize's own options, at the first login", async (option, options) => {
  const sequelize = open(options);
  const before = local.connections.accepted;
  const error = await sequelize.authenticate().catch((reason) => reason);
  expect(error).toBeInstanceOf(ConnectionError);
  expect(findLakebaseError(error)).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{ option }] });
  expect(local.connections.accepted).toBe(before);
  await sequelize.close();
});

test("keeps the driver's options that Sequelize does not pass on", async () => {
  const sequelize = open({}, { statement_timeout: 50 });
  const error = await sequelize.query("select pg_sleep(5)").catch((reason) => reason);
  expect(error.parent.code).toBe("57014");
  await sequelize.close();
});

test("wraps what went wrong, and lets it be found", async () => {
  const { clientId, clientSecret } = await local.addServicePrincipal({ role: false });
  const stranger = { DATABRICKS_CLIENT_ID: clientId, DATABRICKS_CLIENT_SECRET: clientSecret, PGUSER: clientId };
  const sequelize = open({}, { env: { ...local.env, ...stranger } });
  const error = await sequelize.authenticate().catch((reason) => reason);
  expect(error).toBeInstanceOf(ConnectionError);
  expect(isLoginRejected(error)).toBe(true);
  await sequelize.close();
});
