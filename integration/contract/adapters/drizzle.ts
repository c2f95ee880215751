import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { lakebasePool } from "@x/lakebase-drizzle";
import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { npmVersion } from "drizzle-orm/version";
import pg from "pg";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";

const throughClient =
  "Drizzle has no word for it: its users take the pool, `db.$client`, which is what the member pg shows";

export const drizzleAdapter: ContractAdapter = {
  name: "drizzle",
  defaultName: "drizzle",
  packages: ["drizzle-orm", "pg"],
  open: (options) => adapt(lakebasePool(options)),
  openPlain: (url) => adapt(new pg.Pool({ connectionString: url })),
  refuses: {
    Client: class {},
    application_name: "x",
    connectionTimeoutMillis: 5,
    maxLifetimeSeconds: 2_147_484,
    stream: () => {},
  },
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
    async answer(text, parameters) {
      const { command, rowCount, fields, rows } = await db.execute(statement(text, parameters));
      return { command, rowCount, fields, rows };
    },
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
      async up() {
        const migrationsFolder = mkdtempSync(join(tmpdir(), "drizzle-migrations-"));
        try {
          writeMigration(migrationsFolder, `create table ${table} (id int)`, `insert into ${table} values (1)`);
          await migrate(db, { migrationsFolder, migrationsTable: `${table}_migrations` });
        } finally {
          rmSync(migrationsFolder, { recursive: true });
        }
      },
    }),
  };
}

/** Drizzle's template, from a text with `$1`, `$2`, …. */
function statement(text: string, parameters: unknown[] = []): SQL {
  const texts = text.split(/\$\d+/).map((part) => sql.raw(part));
  return sql.join(texts.flatMap((part, index) => (index === 0 ? [part] : [sql`${parameters[index - 1]}`, part])));
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
