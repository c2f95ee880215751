import { createLakebase, findLakebaseError, isLoginRejected } from "@x/lakebase-core";
import { LakebasePool, lakebasePool } from "@x/lakebase-drizzle";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { DrizzleQueryError, relations, sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { integer, pgTable, serial, text, withReplicas } from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, beforeAll, expect, expectTypeOf, test } from "vitest";

const authors = pgTable("authors", { id: serial().primaryKey(), name: text().notNull() });
const books = pgTable("books", {
  id: serial().primaryKey(),
  title: text().notNull(),
  authorId: integer("author_id").references(() => authors.id),
});
const schema = {
  authors,
  books,
  authorsRelations: relations(authors, ({ many }) => ({ books: many(books) })),
  booksRelations: relations(books, ({ one }) => ({
    author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  })),
};

let local: LocalLakebase;
const open = () => drizzle({ client: lakebasePool({ env: local.env, clock: local.clock }), schema });
let db: ReturnType<typeof open>;

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
  db = open();
  await db.execute(sql`create table authors (id serial primary key, name text not null)`);
  await db.execute(
    sql`create table books (id serial primary key, title text not null, author_id int references authors)`,
  );
});
afterAll(async () => {
  await db.$client.end();
  await local.close();
});

test("leaves Drizzle's own types as they are, and `$client` a pool", () => {
  expectTypeOf(db).toExtend<NodePgDatabase<typeof schema>>();
  expectTypeOf(db.$client).toEqualTypeOf<LakebasePool>();
  expectTypeOf(db.query.authors.findMany({ with: { books: true } })).resolves.items.toEqualTypeOf<{
    id: number;
    name: string;
    books: { id: number; title: string; authorId: number | null }[];
  }>();
});

test("hands Drizzle an unmodified pg.Pool", () => {
  expect(db.$client).toBeInstanceOf(pg.Pool);
  expect(db.$client).toBeInstanceOf(LakebasePool);
  expect(db.$client.constructor.name).toBe("LakebasePool");
  expect(Object.hasOwn(db.$client, "query")).toBe(false);
  expect(Object.hasOwn(db.$client, "connect")).toBe(false);
  expect(LakebasePool.prototype.query).toBe(pg.Pool.prototype.query);
  expect(LakebasePool.prototype.connect).toBe(pg.Pool.prototype.connect);
});

test("reads relations, prepares statements and returns what it inserts", async () => {
  const [ada] = await db.insert(authors).values({ name: "Ada" }).returning();
  await db.insert(books).values([
    { title: "Notes", authorId: ada?.id },
    { title: "More notes", authorId: ada?.id },
  ]);
  const found = await db.query.authors.findFirst({ with: { books: { orderBy: (book, { asc }) => asc(book.id) } } });
  expect(found?.books.map(({ title }) => title)).toEqual(["Notes", "More notes"]);

  const byTitle = db
    .select()
    .from(books)
    .where(sql`title = ${sql.placeholder("title")}`)
    .prepare("book_by_title");
  expect(await byTitle.execute({ title: "Notes" })).toHaveLength(1);
  expect(await byTitle.execute({ title: "Unwritten" })).toHaveLength(0);
});

test("keeps what a savepoint left of a transaction, and nothing of one that is undone", async () => {
  await db.transaction(async (tx) => {
    await tx.insert(authors).values({ name: "kept" });
    const inner = tx.transaction(async (nested) => {
      await nested.insert(authors).values({ name: "undone" });
      nested.rollback();
    });
    await expect(inner).rejects.toThrow("Rollback");
  });
  const undone = db.transaction(
    async (tx) => {
      await tx.insert(authors).values({ name: "never" });
      throw new Error("changed my mind");
    },
    { isolationLevel: "serializable" },
  );
  await expect(undone).rejects.toThrow("changed my mind");
  const names = await db.select({ name: authors.name }).from(authors).orderBy(authors.id);
  expect(names.map(({ name }) => name)).toEqual(["Ada", "kept"]);
});

test("wraps what went wrong, and lets it be found", async () => {
  const pool = lakebasePool({ env: local.env, clock: local.clock, max: 1, connectTimeoutMs: 2000 });
  const { clientId, clientSecret } = await local.addServicePrincipal({ role: false });
  const stranger = { DATABRICKS_CLIENT_ID: clientId, DATABRICKS_CLIENT_SECRET: clientSecret, PGUSER: clientId };
  const refused = lakebasePool({ env: { ...local.env, ...stranger }, clock: local.clock });
  local.faults.api({ on: "credential", kind: "status", status: 403, times: 1 });
  const forbidden = await drizzle({ client: pool })
    .execute(sql`select 1`)
    .catch((error) => error);
  const rejected = await drizzle({ client: refused })
    .execute(sql`select 1`)
    .catch((error) => error);
  expect(forbidden).toBeInstanceOf(DrizzleQueryError);
  expect(findLakebaseError(forbidden)?.code).toBe("ERR_LAKEBASE_PERMISSION_DENIED");
  expect(rejected).toBeInstanceOf(DrizzleQueryError);
  expect(isLoginRejected(rejected)).toBe(true);
  expect(isLoginRejected(forbidden)).toBe(false);
  await Promise.all([pool.end(), refused.end()]);
});

// Before 1.0 Drizzle does not give a connection back on which `begin` fails.
test("goes on after a transaction that began on a connection just lost", async () => {
  const small = drizzle({ client: lakebasePool({ env: local.env, clock: local.clock, max: 1 }) });
  await small.execute(sql`select 1`);
  const before = local.logins.length;
  local.killConnections("reset");
  await expect(small.transaction((tx) => tx.execute(sql`select 1`))).rejects.toThrow("begin");
  await small.transaction((tx) => tx.execute(sql`select 1`));
  expect(local.logins.length - before).toBe(1);
  await small.$client.end();
});

test("reads from replicas by Drizzle's own way, on one token", async () => {
  const lakebase = createLakebase({ env: local.env, clock: local.clock });
  const primary = drizzle({ client: lakebasePool({ lakebase }) });
  const replica = drizzle({ client: lakebasePool({ lakebase, access: "read-only" }) });
  const both = withReplicas(primary, [replica]);
  const [logins, requests] = [local.logins.length, local.requests.length];
  await both.insert(authors).values({ name: "written" });
  expect((await both.select().from(authors)).map(({ name }) => name)).toContain("written");
  expect(local.logins.slice(logins).map(({ host }) => host)).toEqual([local.host, local.readOnlyHost]);
  const minted = local.requests.slice(requests).filter(({ operation }) => operation === "credential");
  expect(minted).toHaveLength(1);
  await Promise.all([primary.$client.end(), replica.$client.end()]);
});
