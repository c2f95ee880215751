import { integer, pgTable, serial, text } from "drizzle-orm/pg-core";

export const authors = pgTable("authors", {
  id: serial().primaryKey(),
  name: text().notNull(),
});

export const books = pgTable("books", {
  id: serial().primaryKey(),
  title: text().notNull(),
  authorId: integer("author_id").references(() => authors.id),
});
