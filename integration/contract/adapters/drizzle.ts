import { lakebasePool } from "@x/lakebase-drizzle";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import type { ContractAdapter, OpenAdapter, OpenTransaction } from "../contract-adapter.ts";
import { prepared, statement, withMigration } from "../drizzle-texts.ts";
import { pgAdapter } from "./pg.ts";

const throughClient =
  "Drizzle has no word for it: its users take the pool, `db.$client`, which is what the member pg shows";

export const drizzleAdapter: ContractAdapter = {
  name: "drizzle",
  defaultName: "drizzle",
  packages: ["drizzle-orm", "pg"],
  open: (options) => adapt(lakebasePool(options)),
  openPlain: (url) => adapt(new pg.Pool({ connectionString: url })),
  refuses: pgAdapter.refuses,
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
    prepared: (name, text, parameters) => prepared(db, name, text, parameters),
    script: async (text) => void (await db.execute(sql.raw(text))),
    migrator: (table) => ({ up: () => withMigration(table, (config) => migrate(db, config)) }),
  };
}
