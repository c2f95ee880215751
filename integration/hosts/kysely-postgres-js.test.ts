import { setImmediate } from "node:timers/promises";
import { type LakebasePostgresOptions, lakebasePostgres } from "@x/lakebase-postgres-js";
import { type Kysely, sql } from "kysely";
import { PostgresJSDialect } from "kysely-postgres-js";
import { expect, test, vi } from "vitest";
import { type Database, openBooks } from "./kysely-books.ts";

/** Kysely on postgres.js, as its users set it up. */
const books = openBooks<LakebasePostgresOptions>((options, environment) => {
  const client = lakebasePostgres({ ...environment(), ...options } as LakebasePostgresOptions);
  return new PostgresJSDialect({ postgres: client });
});
const { open, runs } = books;

const titles = async (db: Kysely<Database>) =>
  (await db.selectFrom("books").select("title").orderBy("id").execute()).map(({ title }) => title);

test("asks, writes and rolls back", async () => {
  const db = open({ max: 2 });
  await db.insertInto("books").values({ title: "Notes" }).execute();
  await expect(
    db.transaction().execute(async (tx) => {
      await tx.insertInto("books").values({ title: "Never written" }).execute();
      throw new Error("changed my mind");
    }),
  ).rejects.toThrow("changed my mind");
  const { numUpdatedRows } = await db.updateTable("books").set({ title: "More notes" }).executeTakeFirstOrThrow();
  expect(numUpdatedRows).toBe(1n);
  expect(await titles(db)).toEqual(["More notes"]);
});

test("logs in again with a new token after its token was revoked", async () => {
  const db = open({ max: 1 });
  await sql`select 1`.execute(db);
  books.local.killConnections("terminate");
  while (books.local.sessions() > 0) await setImmediate();
  books.local.revokeAll();
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
  expect(books.local.logins.slice(-2).map(({ outcome }) => outcome)).toEqual(["refused", "accepted"]);
});

test("streams, and ends the statement when the loop ends", async () => {
  const db = open({ max: 1 });
  const seen: number[] = [];
  for await (const { n } of db
    .selectFrom(sql<{ n: number }>`generate_series(1, 100000)`.as<"numbers">(sql`numbers(n)`))
    .select("n")
    .stream(100)) {
    seen.push(n);
    if (seen.length === 250) break;
  }
  expect(seen.at(-1)).toBe(250);
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
});

test("cancels a statement at the server when its signal is aborted, also with one connection only", async () => {
  const db = open({ max: 1 });
  const abort = new AbortController();
  // Kysely tells there what becomes of the statement.
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  const aborted = sql`select pg_sleep(37)`
    .execute(db, { signal: abort.signal, inflightQueryAbortStrategy: "cancel query" })
    .catch((error) => error);
  await runs("pg_sleep(37)");
  abort.abort();
  expect(await aborted).toBeInstanceOf(Error);
  while (told.mock.calls.length === 0) await setImmediate();
  expect(String(told.mock.calls)).toContain("canceling statement");
  told.mockRestore();
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
});

test.each(["terminate", "reset"] as const)("goes on after its connection was lost by %s", async (how) => {
  const db = open({ max: 1 });
  const statement = (name: string) => sql`select pg_sleep(${38}::int) as ${sql.ref(`${name}_${how}`)}`;
  const plain = statement("plain")
    .execute(db)
    .catch((error) => error);
  await runs(`plain_${how}`);
  books.local.killConnections(how);
  expect(await plain).toMatchObject({ code: how === "terminate" ? "57P01" : "ECONNRESET" });
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);

  // Not with the server's error: the dialect (5.0.0) has no method that Kysely 0.29 calls when a rollback fails.
  const transaction = db.transaction().execute((tx) => statement("amid").execute(tx));
  const failed = expect(transaction).rejects.toThrow();
  await runs(`amid_${how}`);
  books.local.killConnections(how);
  await failed;
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
});

test("ends its client, and all that belongs to it", async () => {
  const db = open();
  await sql`select 1`.execute(db);
  await db.destroy();
  await expect(sql`select 1`.execute(db)).rejects.toThrow(/destroyed/);
  while (books.local.sessions() > 0) await setImmediate();
});
