import { lakebasePool } from "@x/lakebase-core/pg";
import type { PoolClient } from "pg";
import type { ContractAdapter, OpenTransaction } from "./contract-adapter.ts";

export const pgAdapter: ContractAdapter = {
  name: "pg",
  open(options) {
    const pool = lakebasePool(options);
    return {
      visible: pool,
      query: async (sql) => (await pool.query(sql)).rows,
      end: () => pool.end(),
      async transaction(run) {
        const client = await pool.connect();
        const outcome = bracket(client, ["begin", "commit", "rollback"], run);
        outcome.then(
          () => client.release(),
          (error) => client.release(error),
        );
        return outcome;
      },
    };
  },
};

type Bracket = readonly [open: string, keep: string, undo: string];
const savepoint: Bracket = ["savepoint s", "release savepoint s", "rollback to savepoint s"];

async function bracket<T>(client: PoolClient, [open, keep, undo]: Bracket, run: (tx: OpenTransaction) => Promise<T>) {
  await client.query(open);
  try {
    const result = await run({
      query: async (sql) => (await client.query(sql)).rows,
      savepoint: (inner) => bracket(client, savepoint, inner),
    });
    await client.query(keep);
    return result;
  } catch (error) {
    await client.query(undo);
    throw error;
  }
}
