import { LakebasePool, lakebasePool } from "@x/lakebase-drizzle";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { relations, sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { integer, pgTable, serial, text } from "drizzle-orm/pg-core";
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
