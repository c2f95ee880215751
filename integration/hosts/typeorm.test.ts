import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { createLakebase, findLakebaseError, type LakebaseEvent } from "@x/lakebase-core";
import { LakebasePool } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { type LakebaseTypeormOptions, lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
import pg from "pg";
import { DataSource, type DataSourceOptions, EntitySchema, type Logger, type QueryRunner } from "typeorm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { rejection } from "../contract/world.ts";

interface Author {
  id: number;
  name: string;
  books?: Book[];
}
interface Book {
  id: number;
  title: string;
  author?: Author;
}
const authors = new EntitySchema<Author>({
  name: "author",
  tableName: "authors",
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: "text" } },
  relations: { books: { type: "one-to-many", target: "book", inverseSide: "author", cascade: ["insert"] } },
});
const books = new EntitySchema<Book>({
  name: "book",
  tableName: "books",
  columns: { id: { type: Number, primary: true, generated: true }, title: { type: "text" } },
  relations: { author: { type: "many-to-one", target: "author", inverseSide: "books", joinColumn: true } },
});

let local: LocalLakebase;
let mark: { logins: number; requests: number; accepted: number };
const events: LakebaseEvent[] = [];
const opened: (() => Promise<void>)[] = [];

/** A data source that is not initialised; it is ended after the test. */
function make(beside: Partial<DataSourceOptions> = {}, options: LakebaseTypeormOptions = {}): DataSource {
  const onEvent = (event: LakebaseEvent) => events.push(event);
  const environment = { env: local.env, clock: local.clock, onEvent };
  const lakebase = lakebaseDataSourceOptions({ ...environment, ...options } as LakebaseTypeormOptions);
  opened.push(() => lakebase.driver.end());
  return new DataSource({ ...lakebase, logger: writeTo([]), ...beside } as DataSourceOptions);
}
/** A logger of TypeORM's kind. */
function writeTo(lines: string[]): Logger {
  const write = (...details: unknown[]) => lines.push(inspect(details, { depth: 9 }));
  return {
    log: write,
    logMigration: write,
    logSchemaBuild: write,
    logQueryError: write,
    logQuerySlow: write,
    logQuery: write,
  };
}
const open = (...options: Parameters<typeof make>) => make(...options).initialize();
const logins = () => local.logins.slice(mark.logins);
const credentialCalls = () =>
  local.requests.slice(mark.requests).filter(({ operation }) => operation === "credential").length;
const master = (dataSource: DataSource) => (dataSource.driver as unknown as { master: LakebasePool }).master;
const sessions = async (count: number) => {
  while (local.sessions() !== count) await setImmediate();
};
const lost = async (count: number) => {
  while (events.filter(({ type }) => type === "connectionLost").length < count) await setImmediate();
};

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());
beforeEach(() => {
  mark = {
    logins: local.logins.length,
    requests: local.requests.length,
    accepted: local.connections.accepted,
  };
  events.length = 0;
});
afterEach(async () => {
  local.faults.clear();
  await Promise.all(opened.splice(0).map((end) => end()));
  await sessions(0);
});

describe("TypeORM's own", () => {
  test("entities, relations and schema builder work as they are", async () => {
    const dataSource = await open({ entities: [authors, books], synchronize: true });
    const saved = await dataSource.getRepository(authors).save({ name: "Ada", books: [{ title: "Notes" }] as Book[] });
    const found = await dataSource
      .getRepository(authors)
      .findOneOrFail({ where: { id: saved.id }, relations: { books: true } });
    expect(found).toEqual({ id: saved.id, name: "Ada", books: [{ id: expect.any(Number), title: "Notes" }] });
    const counted = await dataSource.getRepository(books).createQueryBuilder("b").innerJoin("b.author", "a").getCount();
    expect(counted).toBe(1);
    await dataSource.query("drop table books, authors");
  });

  test("pool settings reach the pool", async () => {
    const extra = { idleTimeoutMillis: 70, statement_timeout: 1234, maxLifetimeSeconds: 100, min: 1 };
    const dataSource = await open({ poolSize: 3, connectTimeoutMS: 4321, extra });
    expect(master(dataSource).options).toMatchObject({
      max: 3,
      min: 1,
      idleTimeoutMillis: 70,
      connectionTimeoutMillis: 4321,
    });
    expect(await dataSource.query("show statement_timeout")).toEqual([{ statement_timeout: "1234ms" }]);
    const lifetime = master(dataSource).options.maxLifetimeSeconds;
    expect(lifetime).toBeGreaterThanOrEqual(90);
    expect(lifetime).toBeLessThanOrEqual(110);
  });

  test("`connectTimeoutMS` bounds the whole of the first login", async () => {
    local.faults.api({ on: "credential", kind: "hang", times: 1 });
    const dataSource = make({ connectTimeoutMS: 1500 });
    expect(findLakebaseError(await rejection(dataSource.initialize()))).toMatchObject({
      code: "ERR_LAKEBASE_TIMEOUT",
      message: expect.stringContaining("1500 ms"),
    });
    await dataSource.initialize();
  });

  test("`parseInt8` is node-postgres' own", async () => {
    const dataSource = await open({ parseInt8: true } as Partial<DataSourceOptions>);
    try {
      expect(await dataSource.query("select 7::int8 as n")).toEqual([{ n: 7 }]);
    } finally {
      pg.defaults.parseInt8 = false;
    }
    expect(await dataSource.query("select 7::int8 as n")).toEqual([{ n: "7" }]);
  });

  test("`nativeDriver` does not get round the pool", async () => {
    const nativeDriver = { Pool: class {} };
    const dataSource = await open({ nativeDriver, poolSize: 1 } as Partial<DataSourceOptions>);
    expect(master(dataSource)).toBeInstanceOf(LakebasePool);
    expect(logins()).toHaveLength(1);
  });

  test("`poolErrorHandler` hears of each idle connection that is lost, once", async () => {
    const heard: unknown[] = [];
    const dataSource = await open({
      poolErrorHandler: (error: unknown) => heard.push(error),
    } as Partial<DataSourceOptions>);
    await Promise.all([1, 2].map(() => dataSource.query("select pg_sleep(0.02)")));
    expect(local.killConnections("terminate")).toBe(2);
    await lost(2);
    expect(heard).toHaveLength(2);
    expect(heard[0]).toMatchObject({ code: "57P01" });
    expect(await dataSource.query("select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("logger tells a lost connection in one line, without a secret", async () => {
    const lines: string[] = [];
    const dataSource = await open({ logger: writeTo(lines), poolSize: 1 });
    lines.length = 0;
    local.killConnections("terminate");
    await lost(1);
    expect(lines).toEqual([expect.stringMatching(/Postgres pool raised an error.*terminating connection/)]);
    await dataSource.query("select 1");
    local.revokeAll();
    local.killConnections("reset");
    await lost(2);
    await dataSource.query("select 1");
    const text = lines.join("\n");
    expect(local.secrets().filter((secret) => text.includes(secret))).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(4);
  });

  test("migrations go up and down, all in one transaction", async () => {
    class CreateShelves1709210096000 {
      up = (runner: QueryRunner) => runner.query("create table shelves (id int)");
      down = (runner: QueryRunner) => runner.query("drop table shelves");
    }
    class Fail1709210096001 {
      up = (runner: QueryRunner) => runner.query("insert into shelves values (1); select 1/0");
      down = async () => {};
    }
    const there = async (dataSource: DataSource) =>
      (await dataSource.query("select to_regclass('shelves')::text as found"))[0].found;
    const failing = await open({ migrations: [CreateShelves1709210096000, Fail1709210096001] });
    await rejection(failing.runMigrations());
    expect(await there(failing)).toBeNull();
    await failing.destroy();
    const dataSource = await open({ migrations: [CreateShelves1709210096000] });
    expect(await dataSource.runMigrations()).toHaveLength(1);
    expect(await there(dataSource)).toBe("shelves");
    await dataSource.undoLastMigration();
    expect(await there(dataSource)).toBeNull();
    await dataSource.query("drop table migrations");
  });

  test("a uuid column makes TypeORM create an extension, unless it is told not to", async () => {
    const tickets = new EntitySchema<{ id: string }>({
      name: "ticket",
      tableName: "tickets",
      columns: { id: { type: "uuid", primary: true, generated: "uuid" } },
    });
    const extensions = async (dataSource: DataSource) =>
      (await dataSource.query("select extname from pg_extension where extname in ('uuid-ossp', 'pgcrypto')")).map(
        ({ extname }: { extname: string }) => extname,
      );
    const without = await open({ entities: [tickets], installExtensions: false } as Partial<DataSourceOptions>);
    expect(await extensions(without)).toEqual([]);
    await without.destroy();
    const native = await open({
      entities: [tickets],
      synchronize: true,
      installExtensions: false,
      uuidExtension: "pgcrypto",
    } as Partial<DataSourceOptions>);
    expect(await native.getRepository(tickets).save({})).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(await extensions(native)).toEqual([]);
    await native.query("drop table tickets");
    const own = await open({
      entities: [tickets],
      synchronize: true,
      uuidExtension: "pgcrypto",
    } as Partial<DataSourceOptions>);
    expect(await extensions(own)).toEqual(["pgcrypto"]);
    expect(await own.getRepository(tickets).save({})).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    await own.query("drop table tickets; drop extension pgcrypto");
  });
});

describe("dropping the schema", () => {
  test("fails in one that holds Databricks' own objects, and drops nothing there", async () => {
    const dataSource = await open({ entities: [authors, books], synchronize: true });
    expect(await rejection(dataSource.dropDatabase())).toMatchObject({
      message: expect.stringContaining("databricks_list_roles"),
    });
    expect(await dataSource.getRepository(authors).count()).toBe(0);
    await dataSource.query("drop table books, authors");
  });

  test("works in one of its own", async () => {
    const admin = await open();
    await admin.query("create schema shop");
    const dataSource = await open({
      schema: "shop",
      entities: [authors, books],
      synchronize: true,
    } as Partial<DataSourceOptions>);
    await dataSource.getRepository(authors).save({ name: "Ada" });
    await dataSource.dropDatabase();
    expect(await admin.query("select 1 from pg_tables where schemaname = 'shop'")).toEqual([]);
    await admin.query("drop schema shop");
  });
});

describe("what stands beside the spread", () => {
  const secret = "s3cr3t-from-elsewhere";

  test.each([
    ["url", { url: `postgres://u:${secret}@db.example.com/app` }, "connectionString"],
    ["host", { host: "db.example.com" }, "host"],
    ["port", { port: 5433 }, "port"],
    ["username", { username: "somebody" }, "user"],
    ["password", { password: secret }, "password"],
    ["password", { password: async () => secret }, "password"],
    ["database", { database: "other" }, "database"],
    ["applicationName", { applicationName: "mine" }, "applicationName"],
    ["ssl", { ssl: { rejectUnauthorized: false } }, "ssl"],
    ["ssl", { ssl: { rejectUnauthorized: true } }, "ssl"],
    ["ssl", { ssl: false }, "ssl"],
    ["applicationName", { extra: { application_name: "mine" } }, "applicationName"],
    ["url", { extra: { connectionString: `postgres://u:${secret}@db.example.com/app` } }, "connectionString"],
    ["password", { extra: { password: secret } }, "password"],
  ])("is refused where it is ours: %s %j", async (option, beside, ours) => {
    const error = await rejection(make(beside).initialize());
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{ option }] });
    expect(error.message).toContain(`give \`${ours}\` to lakebaseDataSourceOptions()`);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
    nothingHappened();
  });

  test.each([
    ["colour", "blue"],
    ["Client", class {}],
    ["stream", () => {}],
    ["lakebase", {}],
    ["endpoint", "projects/a/branches/b/endpoints/c"],
    ["access", "read-only"],
    ["sslmode", "disable"],
    ["constructor", 1],
  ])("is refused where nobody knows it: extra.%s", async (key, value) => {
    const error = await rejection(make({ extra: { [key]: value } }).initialize());
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{ option: `extra.${key}` }] });
    nothingHappened();
  });

  test.each([
    ["poolSize", { poolSize: 0 }],
    ["poolSize", { poolSize: "10" as unknown as number }],
    ["connectTimeoutMS", { connectTimeoutMS: 0 }],
    ["extra.maxLifetimeSeconds", { extra: { maxLifetimeSeconds: 2_147_484 } }],
    ["extra.min", { poolSize: 2, extra: { min: 3 } }],
  ])("is refused where it cannot be: %s %j", async (option, beside) => {
    const error = await rejection(make(beside).initialize());
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{ option }] });
    nothingHappened();
  });

  test("is refused where it contradicts what was given before", async () => {
    const dataSource = make(
      { poolSize: 5, connectTimeoutMS: 100, extra: { min: 2 } },
      { max: 4, connectTimeoutMs: 200, min: 2 },
    );
    const { problems } = (await rejection(dataSource.initialize())) as { problems?: { option: string }[] };
    expect(problems?.map(({ option }) => option)).toEqual(["connectTimeoutMS", "poolSize"]);
  });

  test("is refused in one error", async () => {
    const beside = {
      url: `postgres://u:${secret}@h/d`,
      username: "x",
      poolSize: 0,
      extra: { colour: 1, maxLifetimeSeconds: -1 },
    };
    const { problems } = (await rejection(make(beside).initialize())) as { problems?: { option: string }[] };
    expect(problems?.map(({ option }) => option).sort()).toEqual([
      "extra.colour",
      "extra.maxLifetimeSeconds",
      "poolSize",
      "url",
      "username",
    ]);
  });

  test.each([
    ["of TypeORM's own kind", { master: { host: "a.example.com" }, slaves: [{ host: "b.example.com" }] }],
    ["with nothing in it", { master: {}, slaves: [{}] }],
    ["with our words", { master: {}, slaves: [{ access: "read-only" }] }],
  ])("is refused where it is a replication %s", async (_name, replication) => {
    const error = await rejection(make({ replication } as Partial<DataSourceOptions>).initialize());
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: expect.arrayContaining([expect.objectContaining({ option: "replication" })]),
    });
    nothingHappened();
  });

  function nothingHappened() {
    expect(local.requests.slice(mark.requests)).toEqual([]);
    expect(local.connections.accepted).toBe(mark.accepted);
  }
});

describe("replication", () => {
  const replication = { slaves: [{ access: "read-only" }] } as const;
  const where = "select pg_is_in_recovery() as reads, pg_sleep(0.02)";
  const run = async (dataSource: DataSource, mode: "master" | "slave", sql: string) => {
    const runner = dataSource.createQueryRunner(mode);
    try {
      return await runner.query(sql);
    } finally {
      await runner.release();
    }
  };

  test("reads from the read-only host, writes to the other and never mixes them, with one token", async () => {
    const dataSource = await open(
      { entities: [authors, books], synchronize: true, poolSize: 3 },
      { replication, applicationName: "replicated" },
    );
    const modes = Array.from({ length: 12 }, (_, index) => (index % 2 ? "slave" : "master"));
    const found = await Promise.all(modes.map((mode) => run(dataSource, mode, where)));
    expect(found.map(([row]) => row.reads)).toEqual(modes.map((mode) => mode === "slave"));
    await dataSource.getRepository(authors).save({ name: "Grace" });
    expect(await dataSource.getRepository(authors).find()).toMatchObject([{ name: "Grace" }]);
    const error = await rejection(run(dataSource, "slave", "insert into authors (name) values ('nobody')"));
    expect(error).toMatchObject({ code: "25006" });
    expect(new Set(logins().map(({ host }) => host))).toEqual(new Set([local.host, local.readOnlyHost]));
    expect(new Set(logins().map(({ applicationName }) => applicationName))).toEqual(new Set(["replicated"]));
    expect(credentialCalls()).toBe(1);
    await dataSource.query("drop table books, authors");
    await dataSource.destroy();
    await sessions(0);
  });

  test("takes TypeORM's `defaultMode`", async () => {
    for (const [defaultMode, reads] of [
      ["master", false],
      ["slave", true],
      [undefined, true],
    ] as const) {
      const dataSource = await open({}, { replication: { ...replication, defaultMode } });
      const found = await dataSource
        .createQueryBuilder()
        .select("pg_is_in_recovery()", "reads")
        .from("(select 1)", "t")
        .getRawOne();
      expect(found).toEqual({ reads });
      await dataSource.destroy();
    }
  });

  test("refuses anything but slaves on the read-only host of the same target, in one error with all else", () => {
    const bad = {
      replication: {
        slaves: [{ access: "read-only" }, { host: "other.example.com" }],
        master: {},
        defaultMode: "both",
      },
      access: "read-only",
      colour: "blue",
    };
    expect(() => make({}, bad as never)).toThrow(
      expect.objectContaining({
        code: "ERR_LAKEBASE_CONFIG",
        problems: ["replication.master", "replication.slaves", "replication.defaultMode", "access", "colour"].map(
          (option) => expect.objectContaining({ option }),
        ),
      }),
    );
  });

  test("refuses a foreign slave beside ours", async () => {
    const ours = lakebaseDataSourceOptions({ env: local.env, clock: local.clock, replication });
    opened.push(() => ours.driver.end());
    const slaves = [...(ours.replication?.slaves ?? []), { host: "db.example.com", password: "x" }];
    const dataSource = new DataSource({
      ...ours,
      replication: { master: { ssl: ours.ssl }, slaves },
      logger: writeTo([]),
    });
    expect(await rejection(dataSource.initialize())).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
  });

  test("writes to the read-write host also on a handle whose own access is read-only", async () => {
    await using lakebase = createLakebase({ env: local.env, clock: local.clock, access: "read-only" });
    const options = lakebaseDataSourceOptions({ lakebase, replication });
    opened.push(() => options.driver.end());
    const replicated = await new DataSource({ ...options, logger: writeTo([]) }).initialize();
    expect(await run(replicated, "master", where)).toMatchObject([{ reads: false }]);
    expect(await run(replicated, "slave", where)).toMatchObject([{ reads: true }]);
  });
});

describe("end", () => {
  test("ends the pool once, and a data source that is initialised again gets a new one", async () => {
    const dataSource = await open({ poolSize: 2 });
    await Promise.all([dataSource.destroy(), dataSource.destroy()]);
    await sessions(0);
    await dataSource.initialize();
    expect(await dataSource.query("select 1 as one")).toEqual([{ one: 1 }]);
    expect(credentialCalls()).toBe(1);
    await dataSource.destroy();
  });

  test("is not needed after a login that failed", async () => {
    local.faults.login({ kind: "refuse", sqlState: "3D000", message: "no such database", times: 1 });
    const dataSource = make();
    expect(await rejection(dataSource.initialize())).toMatchObject({ code: "3D000" });
    await sessions(0);
    await dataSource.initialize();
  });

  test("follows by itself when initialising fails after the login", async () => {
    const broken = new EntitySchema({ name: "broken", columns: {} });
    await rejection(make({ entities: [broken] }).initialize());
    await sessions(0);
  });

  test("reaches the slaves of an initialize() whose master failed", async () => {
    const lakebase = lakebaseDataSourceOptions({
      env: local.env,
      clock: local.clock,
      replication: { slaves: [{ access: "read-only" }, { access: "read-only" }] },
    });
    opened.push(() => lakebase.driver.end());
    const failed = rejection(new DataSource({ ...lakebase, logger: writeTo([]) }).initialize());
    // The slaves are let in, the master is not.
    await sessions(2);
    local.faults.login({ kind: "refuse", sqlState: "3D000", message: "no such database" });
    expect(await failed).toMatchObject({ code: "3D000" });
    expect(local.sessions()).toBe(2);
    await lakebase.driver.end();
    await sessions(0);
  });

  test("of a data source that still waits for its token is TypeORM's own refusal, then the driver's end()", async () => {
    const lakebase = lakebaseDataSourceOptions({ env: local.env, clock: local.clock });
    const dataSource = new DataSource({ ...lakebase, logger: writeTo([]) });
    const fault = local.faults.api({ on: "credential", kind: "hang" });
    const failed = rejection(dataSource.initialize());
    while (fault.hits === 0) await setImmediate();
    await rejection(dataSource.destroy());
    await lakebase.driver.end();
    expect(findLakebaseError(await failed)?.code).toBe("ERR_LAKEBASE_ABORTED");
    expect(local.connections.accepted).toBe(mark.accepted);
    fault.clear();
    await dataSource.initialize();
    await dataSource.destroy();
  });

  test("by the driver's end() leaves nothing that destroy() would mind", async () => {
    const lakebase = lakebaseDataSourceOptions({ env: local.env, clock: local.clock });
    const dataSource = await new DataSource({ ...lakebase, logger: writeTo([]) }).initialize();
    await Promise.all([lakebase.driver.end(), lakebase.driver.end()]);
    await sessions(0);
    await rejection(dataSource.query("select 1"));
    await dataSource.destroy();
  });

  test("of one data source leaves another on the same options alone", async () => {
    const lakebase = lakebaseDataSourceOptions({ env: local.env, clock: local.clock });
    const [one, two] = [1, 2].map(() => new DataSource({ ...lakebase, logger: writeTo([]) })) as [
      DataSource,
      DataSource,
    ];
    await Promise.all([one.initialize(), two.initialize()]);
    expect(credentialCalls()).toBe(1);
    await one.destroy();
    expect(await two.query("select 1 as one")).toEqual([{ one: 1 }]);
    await two.destroy();
  });
});
