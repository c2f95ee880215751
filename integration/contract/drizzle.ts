import { lakebasePool } from "@x/lakebase-drizzle";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import type { ContractAdapter, OpenTransaction } from "./contract-adapter.ts";

export const drizzleAdapter: ContractAdapter = {
  name: "drizzle",
  open(options) {
    const db = drizzle({ client: lakebasePool(options) });
    type Transaction = Parameters<Parameters<typeof db.transaction>[0]>[0];
    const inside = (tx: Transaction): OpenTransaction => ({
      query: async (text) => (await tx.execute(sql.raw(text))).rows,
      savepoint: (run) => tx.transaction((nested) => run(inside(nested))),
    });
    return {
      visible: db,
      query: async (text) => (await db.execute(sql.raw(text))).rows,
      transaction: (run) => db.transaction((tx) => run(inside(tx))),
      end: () => db.$client.end(),
    };
  },
};
