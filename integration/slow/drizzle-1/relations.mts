// A program on Drizzle 1.0, whose relations are of another kind: prints what it read.
import { type LakebasePool, lakebasePool } from "@x/lakebase-drizzle";
import { defineRelations, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable, serial, text } from "drizzle-orm/pg-core";

const authors = pgTable("authors", { id: serial().primaryKey(), name: text().notNull() });
const books = pgTable("books", {
  id: serial().primaryKey(),
  title: text().notNull(),
  authorId: integer("author_id").references(() => authors.id),
});
const relations = defineRelations({ authors, books }, (r) => ({
  authors: { books: r.many.books() },
  books: { author: r.one.authors({ from: r.books.authorId, to: r.authors.id }) },
}));

const db = drizzle({ client: lakebasePool({ max: 2 }), relations });
const pool: LakebasePool = db.$client;
await db.execute(sql`create table authors (id serial primary key, name text not null)`);
await db.execute(
  sql`create table books (id serial primary key, title text not null, author_id int references authors)`,
);

await db.transaction(async (tx) => {
  const [ada] = await tx.insert(authors).values({ name: "Ada" }).returning();
  await tx.insert(books).values({ title: "Notes", authorId: ada?.id });
  const undone = tx.transaction(async (nested) => {
    await nested.insert(authors).values({ name: "undone" });
    nested.rollback();
  });
  await undone.catch(() => {});
});

const found: { name: string; books: { title: string }[] }[] = await db.query.authors.findMany({
  columns: { name: true },
  with: { books: { columns: { title: true } } },
});
const byTitle = db
  .select()
  .from(books)
  .where(eq(books.title, sql.placeholder("title")))
  .prepare("book_by_title");
const prepared = await byTitle.execute({ title: "Notes" });
await pool.end();
console.log(JSON.stringify({ found, prepared: prepared.length }));
