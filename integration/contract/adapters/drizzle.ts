import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { lakebasePool } from "@x/lakebase-drizzle";
import { type SQL, sql } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";

const throughClient = "Drizzle has no word for it; `db.$client` is the pool, and its own member shows it there";

export const drizzleAdapter: ContractAdapter = {
  name: "drizzle",
  defaultName: "drizzle",
  packages: ["drizzle-orm", "pg"],
  open: (options) => adapt(lakebasePool(options)),
  openPlain: (url) => adapt(new pg.Pool({ connectionString: url })),
  lacks: {
    stream: throughClient,
    cancellable: throughClient,
    copyIn: throughClient,
    copyOut: throughClient,
    listen: throughClient,
    notices: throughClient,
    "migrations down": "Drizzle's migrations have no way back",
  },
};

function adapt(client: pg.Pool): OpenAdapter {
  const db = drizzle({ client });
  type Transaction = Parameters<Parameters<typeof db.transaction>[0]>[0];
  const inside = (tx: Transaction): OpenTransaction => ({
    query: async (text, parameters) => (await tx.execute(statement(text, parameters))).rows,
    savepoint: (run) => tx.transaction((nested) => run(inside(nested))),
  });
  return {
    visible: db,
    query: async (text, parameters) => (await db.execute(statement(text, parameters))).rows,
    answer: async (text, parameters) => db.execute(statement(text, parameters)),
    transaction: (run) => db.transaction((tx) => run(inside(tx))),
    end: () => db.$client.end(),
    // Only what its query builder makes can be named, so the text becomes a table and its rows come as JSON.
    async prepared(name, text, parameters) {
      const rows = sql`(${statement(text, parameters)}) as prepared`;
      const found = await db.select({ row: sql<Row>`to_jsonb(prepared)` }).from(rows).prepare(name).execute();
      return found.map(({ row }) => row);
    },
    script: async (text) => void (await db.execute(sql.raw(text))),
    migrator: (table) => ({
      up: () =>
        withMigration(
          `create table ${table} (id int);\n--> statement-breakpoint\ninsert into ${table} values (1);`,
          (migrationsFolder) => migrate(db, { migrationsFolder, migrationsTable: `${table}_migrations` }),
        ),
    }),
  };
}

/** Drizzle's template, from a text with `$1`, `$2`, …. */
function statement(text: string, parameters: unknown[] = []): SQL {
  const texts = text.split(/\$\d+/).map((part) => sql.raw(part));
  return sql.join(texts.flatMap((part, index) => (index === 0 ? [part] : [sql`${parameters[index - 1]}`, part])));
}
