import { lakebasePool } from "@x/lakebase-core/pg";
import pg from "pg";
import QueryStream from "pg-query-stream";
import type { ContractAdapter, OpenAdapter, OpenTransaction } from "../contract-adapter.ts";
import { copyIn, copyOut, noticesOf } from "../pg-client-words.ts";

export const pgAdapter: ContractAdapter = {
  name: "pg",
  defaultName: "pg",
  packages: ["pg"],
  open: (options) => adapt(lakebasePool(options)),
  openPlain: (url) => adapt(new pg.Pool({ connectionString: url })),
  refuses: {
    Client: class {},
    application_name: "x",
    connectionTimeoutMillis: 5,
    maxLifetimeSeconds: 2_147_484,
    stream: () => {},
  },
  lacks: { migrator: "node-postgres has no migrations", "migrations down": "node-postgres has no migrations" },
};

function adapt(pool: pg.Pool): OpenAdapter {
  /** Runs with one client of the pool, and gives it back. */
  async function withClient<T>(run: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    try {
      const result = await run(client);
      client.release();
      return result;
    } catch (error) {
      client.release(error as Error);
      throw error;
    }
  }
  return {
    visible: pool,
    query: async (sql, parameters) => (await pool.query(sql, parameters)).rows,
    transaction: (run) => withClient((client) => bracket(client, ["begin", "commit", "rollback"], run)),
    end: () => pool.end(),
    async *stream(sql) {
      const client = await pool.connect();
      try {
        yield* client.query(new QueryStream(sql));
      } finally {
        client.release();
      }
    },
    cancellable: (sql, signal) =>
      withClient(async (client) => {
        const [row] = (await client.query("select pg_backend_pid() as pid")).rows;
        signal.addEventListener("abort", () => void pool.query("select pg_cancel_backend($1)", [row.pid]));
        return client.query(sql);
      }),
    prepared: async (name, sql, values) => (await pool.query({ name, text: sql, values })).rows,
    copyIn: (sql, rows) => withClient((client) => copyIn(client, sql, rows)),
    copyOut: (sql) => withClient((client) => copyOut(client, sql)),
    async listen(channel, onPayload) {
      const client = await pool.connect();
      client.on("notification", ({ payload }) => onPayload(payload ?? ""));
      await client.query(`listen ${channel}`);
      return async () => {
        await client.query(`unlisten ${channel}`);
        client.release();
      };
    },
    answer: (sql, parameters) => pool.query(sql, parameters),
    notices: (sql) => withClient((client) => noticesOf(client, () => client.query(sql))),
    script: async (sql) => void (await pool.query(sql)),
  };
}

type Bracket = readonly [open: string, keep: string, undo: string];
const savepoint: Bracket = ["savepoint s", "release savepoint s", "rollback to savepoint s"];

async function bracket<T>(
  client: pg.PoolClient,
  [open, keep, undo]: Bracket,
  run: (tx: OpenTransaction) => Promise<T>,
) {
  await client.query(open);
  try {
    const result = await run({
      query: async (sql, parameters) => (await client.query(sql, parameters)).rows,
      savepoint: (inner) => bracket(client, savepoint, inner),
    });
    await client.query(keep);
    return result;
  } catch (error) {
    await client.query(undo);
    throw error;
  }
}
