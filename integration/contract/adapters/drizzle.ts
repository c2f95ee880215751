import { lakebasePool } from "@x/lakebase-drizzle";
import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import type { ContractAdapter, OpenAdapter, OpenTransaction } from "../contract-adapter.ts";

export const drizzleAdapter: ContractAdapter = {
  name: "drizzle",
  defaultName: "drizzle",
  packages: ["drizzle-orm", "pg"],
  open: (options) => adapt(lakebasePool(options)),
  openPlain: (url) => adapt(new pg.Pool({ connectionString: url })),
  lacks: {},
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
    transaction: (run) => db.transaction((tx) => run(inside(tx))),
    end: () => db.$client.end(),
  };
}

/** Drizzle's template, from a text with `$1`, `$2`, …. */
function statement(text: string, parameters: unknown[] = []): SQL {
  const texts = text.split(/\$\d+/).map((part) => sql.raw(part));
  return sql.join(texts.flatMap((part, index) => (index === 0 ? [part] : [sql`${parameters[index - 1]}`, part])));
}
