import type pg from "pg";
import { expect, test } from "vitest";
import { accessToken } from "../identity/access-token.ts";
import type { PgPoolOptions } from "./driver-options.ts";
import { lakebasePoolConfig } from "./lakebase-pool.ts";

const host = "ep-a-b-1.database.us-east-1.cloud.databricks.com";
type ClientClass = new (config?: pg.ClientConfig) => pg.Client & { connectionParameters: Record<string, unknown> };

/** The class by which a host of another library makes its clients. */
function clientClass(options: PgPoolOptions = {}): ClientClass {
  return lakebasePoolConfig({ env: {}, host, user: "someone", ...options }, "some-orm").Client as ClientClass;
}

test.each([
  ["host", "db.example.com"],
  ["port", 6543],
  ["user", "else"],
  ["password", "hunter2"],
  ["database", "prisma_migrate_shadow_db_1"],
  ["application_name", "theirs"],
  ["connectionString", "postgresql://db.example.com/theirs"],
  ["connectionString", "postgresql://someone:hunter2@db.example.com:none/theirs"],
  ["connectionString", "postgresql://db.example.com/theirs?sslrootcert=/not/there.pem"],
  ["connectionTimeoutMillis", 1],
  ["ssl", { rejectUnauthorized: false }],
  ["stream", () => {}],
  ["options", { max: 3 }],
])("refuses to log in when its host was told another %s", async (option, value) => {
  const client = new (clientClass())({ [option]: value });
  const error = await client.connect().catch((reason) => reason);
  expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{ option }] });
  expect(error.message).not.toContain("hunter2");
});

test("sees a password that a pool has hidden from enumeration", async () => {
  const config = Object.defineProperty({}, "password", { value: "hunter2", enumerable: false });
  const error = await new (clientClass())(config).connect().catch((reason) => reason);
  expect(error).toMatchObject({ problems: [{ option: "password" }] });
});

test("names all of them in one error, at the login and not before", async () => {
  const client = new (clientClass())({ database: "theirs", user: "else" });
  const error = await new Promise<unknown>((resolve) => client.connect(resolve));
  expect(error).toMatchObject({ problems: [{ option: "database" }, { option: "user" }] });
});

test.each([
  ["Sequelize", { host: "localhost", port: 5432, user: undefined, password: undefined, database: undefined }],
  ["MikroORM", { host: "127.0.0.1", port: 5432, user: "postgres", password: "", database: "databricks_postgres" }],
  ["the same", { host, user: "someone", database: "databricks_postgres", connectionTimeoutMillis: 30_000 }],
])("lets through what %s names unasked", async (_name, config) => {
  // The login gets as far as the token, for which there is no identity.
  const error = await new (clientClass())(config).connect().catch((reason) => reason);
  expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
  expect(error.problems.map(({ option }: { option: string }) => option)).not.toContain("host");
  expect(error.message).toContain("auth");
});

test("keeps the driver's options for a host that passes on none", () => {
  const Client = clientClass({ statement_timeout: 5000 });
  expect(new Client().connectionParameters.statement_timeout).toBe(5000);
  expect(new Client({ statement_timeout: 7000 }).connectionParameters.statement_timeout).toBe(7000);
});

test("gives up a login whose pool is shut down, before it begins or while it waits", async () => {
  const shutDown = new AbortController();
  const never = new Promise<string>(() => {});
  const options = {
    env: {},
    host,
    user: "someone",
    auth: accessToken(() => never),
    workspaceHost: "https://w.example",
  };
  const Client = lakebasePoolConfig(options, "some-orm", shutDown.signal).Client as unknown as ClientClass;
  const waiting = new Client().connect().catch((reason) => reason);
  shutDown.abort(new Error("shut down"));
  expect(await waiting).toMatchObject({ message: "shut down" });
  expect(await new Client().connect().catch((reason) => reason)).toMatchObject({ message: "shut down" });
});
