import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type SQL, sql } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import { npmVersion } from "drizzle-orm/version";
import type { Row } from "./contract-adapter.ts";

/** Drizzle's template, from a text with `$1`, `$2`, …. */
export function statement(text: string, parameters: unknown[] = []): SQL {
  const texts = text.split(/\$\d+/).map((part) => sql.raw(part));
  return sql.join(texts.flatMap((part, index) => (index === 0 ? [part] : [sql`${parameters[index - 1]}`, part])));
}

/** Only what Drizzle's query builder makes is prepared, so the text becomes a table and its rows come as JSON. */
export async function prepared(
  db: Pick<PgDatabase<PgQueryResultHKT>, "select">,
  name: string,
  text: string,
  parameters: unknown[],
): Promise<Row[]> {
  const rows = sql`(${statement(text, parameters)}) as prepared`;
  const found = await db.select({ row: sql<Row>`to_jsonb(prepared)` }).from(rows).prepare(name).execute();
  return found.map(({ row }) => row);
}

/** Gives Drizzle's own migrator a folder with one migration that makes the table, as `integer`, and its first row. */
export async function withMigration(
  table: string,
  migrate: (config: { migrationsFolder: string; migrationsTable: string }) => Promise<unknown>,
): Promise<void> {
  const migrationsFolder = mkdtempSync(join(tmpdir(), "drizzle-migrations-"));
  try {
    writeMigration(migrationsFolder, `create table ${table} (id int)`, `insert into ${table} values (1)`);
    await migrate({ migrationsFolder, migrationsTable: `${table}_migrations` });
  } finally {
    rmSync(migrationsFolder, { recursive: true });
  }
}

/** What drizzle-kit generates: a journal and a file a migration before Drizzle 1.0, a folder a migration since. */
function writeMigration(folder: string, ...statements: string[]): void {
  const name = "20240229123456_first";
  const journal = {
    version: "7",
    dialect: "postgresql",
    entries: [{ idx: 0, when: 1709210096000, tag: name, breakpoints: true }],
  };
  const files = npmVersion.startsWith("0.")
    ? { [`${name}.sql`]: "", "meta/_journal.json": JSON.stringify(journal) }
    : { [`${name}/migration.sql`]: "" };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text || statements.join(";\n--> statement-breakpoint\n"));
  }
}
