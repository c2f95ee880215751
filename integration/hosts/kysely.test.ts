import { setImmediate } from "node:timers/promises";
import { createLakebase } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { LakebaseDialect, type LakebaseDialectOptions } from "@x/lakebase-kysely";
import { type Kysely, sql } from "kysely";
import Cursor from "pg-cursor";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { type Database, openBooks } from "./kysely-books.ts";

const books = openBooks<LakebaseDialectOptions>((options = {}, environment) => {
  const isComplete = "pool" in options || "lakebase" in options;
  return new LakebaseDialect((isComplete ? options : { ...environment(), ...options }) as LakebaseDialectOptions);
});
const { environment, events, open, runs } = books;
/** What Kysely tells of what fails after an abort. */
const told = vi.spyOn(console, "error");

beforeEach(() => {
  told.mockReset().mockImplementation(() => {});
});

const one = (db: Kysely<Database>) => sql<{ one: number }>`select 1 as one`.execute(db).then(({ rows }) => rows);
const sleep = sql`select pg_sleep(30)`;
const calls = (operation: string) => books.local.requests.filter((request) => request.operation === operation).length;

describe("Kysely's own words", () => {
  test("controlled transactions roll back to a savepoint and commit the rest", async () => {
    const db = open({ max: 1 });
    const tx = await db.startTransaction().execute();
    await tx.insertInto("books").values({ title: "kept" }).execute();
    const saved = await tx.savepoint("s").execute();
    await saved.insertInto("books").values({ title: "undone" }).execute();
    await saved.rollbackToSavepoint("s").execute();
    await tx.commit().execute();
    expect(await db.deleteFrom("books").returning("title").execute()).toEqual([{ title: "kept" }]);
  });

  test("`onCreateConnection` runs once a connection, `onReserveConnection` at each use", async () => {
    const onCreateConnection = vi.fn(async (connection) => {
      await connection.executeQuery(sql`set statement_timeout = '7s'`.compile(db));
    });
    const onReserveConnection = vi.fn(async () => {});
    const db = open({ max: 1, onCreateConnection, onReserveConnection });
    for (let round = 0; round < 3; round++) {
      const { rows } = await sql`show statement_timeout`.execute(db);
      expect(rows).toEqual([{ statement_timeout: "7s" }]);
    }
    expect(onCreateConnection).toHaveBeenCalledTimes(1);
    expect(onReserveConnection).toHaveBeenCalledTimes(3);
  });

  test("is introspected", async () => {
    const tables = await open().introspection.getTables();
    expect(tables.find(({ name }) => name === "books")?.columns.map(({ name }) => name)).toEqual(["id", "title"]);
  });

  test("a stream that is left early gives its only connection back", async () => {
    const db = open({ max: 1, cursor: Cursor });
    const numbers = sql<{ n: number }>`(select n from generate_series(1, 1000000) n)`.as("numbers");
    for (let round = 0; round < 3; round++) {
      const read: number[] = [];
      for await (const { n } of db.selectFrom(numbers).select("n").stream(10)) {
        read.push(n);
        if (read.length === 25) break;
      }
      expect(read.at(-1)).toBe(25);
    }
    expect(await one(db)).toEqual([{ one: 1 }]);
  });

  test("streaming without `cursor` is refused with its name, and costs no connection", async () => {
    const db = open({ max: 1 });
    const drain = async () => {
      for await (const _ of db.selectFrom("books").selectAll().stream()) break;
    };
    await expect(drain()).rejects.toThrow(/`cursor` is not present in your postgres dialect config/);
    expect(await one(db)).toEqual([{ one: 1 }]);
  });
});

describe("cancelling", () => {
  test.each(["cancel query", "kill session"] as const)(
    "“%s” ends the statement at the server with one connection, and leaves nothing there",
    async (inflightQueryAbortStrategy) => {
      const db = open({ max: 1, applicationName: "acme+lakebase" });
      await one(db);
      const before = { logins: books.local.logins.length, credential: calls("credential") };
      const abort = new AbortController();
      const outcome = sleep.execute(db, { signal: abort.signal, inflightQueryAbortStrategy }).catch((error) => error);
      await runs("select pg_sleep(30)");
      const reason = new Error("the user has left");
      abort.abort(reason);
      expect(await outcome).toBe(reason);
      await runs("select pg_sleep(30)", 0);
      expect(await one(db)).toEqual([{ one: 1 }]);
      while (books.local.sessions() > 1) await setImmediate();
      const control = books.local.logins.slice(before.logins);
      expect(control).toHaveLength(inflightQueryAbortStrategy === "cancel query" ? 1 : 2);
      for (const login of control) {
        expect(login).toMatchObject({ applicationName: "acme+lakebase", tls: "TLSv1.3", outcome: "accepted" });
      }
      expect(calls("credential")).toBe(before.credential);
    },
  );

  test("works on a session that has outlived its token", async () => {
    const db = open({ max: 1 });
    await one(db);
    const abort = new AbortController();
    const options = { signal: abort.signal, inflightQueryAbortStrategy: "cancel query" } as const;
    const outcome = sleep.execute(db, options).catch((error) => error);
    await runs("select pg_sleep(30)");
    books.local.clock.advance(61 * 60_000);
    abort.abort();
    expect(await outcome).toMatchObject({ name: "AbortError" });
    await runs("select pg_sleep(30)", 0);
    expect(await one(db)).toEqual([{ one: 1 }]);
  });

  test("works on a pool that was given", async () => {
    const pool = lakebasePool({ ...environment(), max: 1, statement_timeout: 40_000 });
    const before = books.local.logins.length;
    const db = open({ pool });
    const abort = new AbortController();
    const options = { signal: abort.signal, inflightQueryAbortStrategy: "cancel query" } as const;
    const outcome = sleep.execute(db, options).catch((error) => error);
    await runs("select pg_sleep(30)");
    abort.abort();
    expect(await outcome).toMatchObject({ name: "AbortError" });
    await runs("select pg_sleep(30)", 0);
    expect(await one(db)).toEqual([{ one: 1 }]);
    const timeouts = books.local.logins.slice(before).map(({ startup }) => startup.statement_timeout);
    expect(timeouts).toEqual(["40000", "40000"]);
    await pool.end();
  });

  test("that cannot log in rejects all the same, and prints no secret", async () => {
    const db = open({ max: 1 });
    await one(db);
    books.local.faults.login({ kind: "refuse", sqlState: "28P01", message: "no" });
    const abort = new AbortController();
    const options = { signal: abort.signal, inflightQueryAbortStrategy: "cancel query" } as const;
    const outcome = sql`select pg_sleep(1)`.execute(db, options).catch((error) => error);
    await runs("select pg_sleep(1)");
    abort.abort();
    expect(await outcome).toMatchObject({ name: "AbortError" });
    while (told.mock.calls.length === 0) await setImmediate();
    const printed = JSON.stringify(told.mock.calls);
    expect(printed).toContain("failed in the background");
    expect(books.local.secrets().filter((secret) => printed.includes(secret))).toEqual([]);
    // The statement went on to its end, and gave its connection back.
    expect(await one(db)).toEqual([{ one: 1 }]);
  });

  test.each(["cancel query", "kill session", "ignore query"] as const)(
    "a storm of aborts by “%s” leaves no connection behind, and all of them in order",
    async (inflightQueryAbortStrategy) => {
      await using pool = lakebasePool({ ...environment(), max: 3 });
      const db = open({ pool });
      // Statements that run until they are ended, so that no signal comes late and meets the next one.
      const seconds = inflightQueryAbortStrategy === "ignore query" ? 0.2 : 30;
      for (let round = 0; round < 5; round++) {
        const abort = new AbortController();
        const options = { signal: abort.signal, inflightQueryAbortStrategy };
        const outcomes = Array.from({ length: 20 }, () =>
          sql`select pg_sleep(${sql.lit(seconds)})`.execute(db, options).catch((error) => error.name),
        );
        await runs(`select pg_sleep(${seconds})`, 3);
        abort.abort();
        expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["AbortError"]));
        await runs(`select pg_sleep(${seconds})`, 0);
      }
      while (pool.idleCount < pool.totalCount) await setImmediate();
      for (let round = 0; round < 3; round++) {
        expect(await Promise.all([one(db), one(db), one(db)])).toEqual([[{ one: 1 }], [{ one: 1 }], [{ one: 1 }]]);
      }
      expect(pool.totalCount).toBeLessThanOrEqual(3);
    },
  );

  test("a query that waits for its login gives the connection back when it comes", async () => {
    const db = open({ max: 1 });
    const fault = books.local.faults.api({ on: "credential", kind: "slow", delayMs: 60_000, times: 1 });
    const abort = new AbortController();
    const outcome = sql`select 1`.execute(db, { signal: abort.signal }).catch((error) => error);
    while (fault.hits === 0) await setImmediate();
    abort.abort();
    expect(await outcome).toMatchObject({ name: "AbortError" });
    books.local.clock.advance(60_000);
    expect(await one(db)).toEqual([{ one: 1 }]);
  });
});

describe("connections that the server ends", () => {
  test("are not given out again, though their sockets still close", async () => {
    const db = open({ max: 1 });
    for (let round = 1; round <= 20; round++) {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
      const outcome = sleep.execute(db).catch((error) => error);
      await runs("select pg_sleep(30)");
      await books.observer.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
      expect(await outcome).toMatchObject({ code: "57P01" });
      expect(await one(db)).toEqual([{ one: 1 }]);
      const losses = events.filter(({ type }) => type === "connectionLost");
      expect(losses).toHaveLength(round);
      expect(losses.at(-1)).toMatchObject({ code: "57P01" });
    }
  });

  test("fail a controlled transaction, its rollback too, and nothing after it", async () => {
    const db = open({ max: 1 });
    const tx = await db.startTransaction().execute();
    await tx.insertInto("books").values({ title: "lost" }).execute();
    books.local.killConnections("terminate");
    while (!events.some(({ type }) => type === "connectionLost")) await setImmediate();
    await expect(tx.insertInto("books").values({ title: "late" }).execute()).rejects.toThrow();
    await expect(tx.rollback().execute()).rejects.toThrow();
    expect(await db.selectFrom("books").selectAll().execute()).toEqual([]);
  });
});

describe("ownership", () => {
  test("`destroy()` may be called twice, at once, and before anything was asked", async () => {
    const unused = open();
    await unused.destroy();
    await unused.destroy();
    const db = open();
    await one(db);
    await Promise.all([db.destroy(), db.destroy()]);
    await db.destroy();
    while (books.local.sessions() > 0) await setImmediate();
    await expect(one(db)).rejects.toThrow("driver has already been destroyed");
  });

  test("two instances share a pool, and neither ends it", async () => {
    const pool = lakebasePool({ ...environment(), max: 2, applicationName: "shared" });
    const created: string[] = [];
    const [first, second] = ["first", "second"].map((name) =>
      open({ pool, onCreateConnection: async () => void created.push(name) }),
    ) as [Kysely<Database>, Kysely<Database>];
    const before = books.local.logins.length;
    await one(first);
    await one(second);
    expect(books.local.logins.length - before).toBe(1);
    expect(created).toEqual(["first", "second"]);

    const begun = sql`select pg_sleep(0.2)`.execute(second);
    await first.destroy();
    await first.destroy();
    await expect(one(first)).rejects.toThrow("driver has already been destroyed");
    await begun;
    expect(await one(second)).toEqual([{ one: 1 }]);
    await second.destroy();
    expect(pool.ended).toBe(false);
    expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await pool.end();
  });

  test("shares a handle with another pool: one credential, and `destroy()` leaves it open", async () => {
    await using lakebase = createLakebase(environment());
    const before = calls("credential");
    const db = open({ lakebase, applicationName: "kysely", max: 2 });
    const pool = lakebasePool({ lakebase, applicationName: "beside", max: 2 });
    await Promise.all([one(db), pool.query("select 1")]);
    await db.destroy();
    await pool.query("select 1");
    expect(lakebase.health().status).toBe("ready");
    expect(await one(open({ lakebase }))).toEqual([{ one: 1 }]);
    await pool.end();
    expect(calls("credential") - before).toBe(1);
  });
});
