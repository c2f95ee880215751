import { lakebaseKnexConfig } from "@x/lakebase-knex";
import knex, { type Knex } from "knex";
import manifest from "knex/package.json" with { type: "json" };
import type pg from "pg";
import type { ContractAdapter, ContractOptions, OpenAdapter, OpenTransaction } from "../contract-adapter.ts";
import { copyIn, copyOut, noticesOf } from "../pg-client-words.ts";

export const knexAdapter: ContractAdapter = {
  name: "knex",
  defaultName: "knex",
  packages: ["knex", "pg"],
  open: (options) => adapt(knex({ ...lakebaseKnexConfig(inKnexWords(options)), log: quiet })),
  openPlain: (url) => adapt(knex({ client: "pg", connection: url, log: quiet })),
  refuses: {
    Client: class {},
    acquireConnectionTimeout: 5,
    application_name: "x",
    client: "pg",
    connection: { password: "x" },
    connectionPool: {},
    connectionTimeoutMillis: 5,
    dialect: "pg",
    migrations: {},
    stream: () => {},
    version: "17",
  },
  lacks: { ...(manifest.version.startsWith("3.1.") && { lifetime: "Knex has no lifetime before 3.2" }) },
};

/** Knex tells every connection that it loses on the console. */
const quiet = { warn: () => {} };

function inKnexWords({ max, min, idleTimeoutMillis, maxLifetimeSeconds, ...ours }: ContractOptions) {
  const maxConnectionLifetimeMillis = maxLifetimeSeconds && maxLifetimeSeconds * 1000;
  const choices = { max, min, idleTimeoutMillis, maxConnectionLifetimeMillis };
  return { ...ours, pool: JSON.parse(JSON.stringify(choices)) as Knex.PoolConfig };
}

function adapt(db: Knex): OpenAdapter {
  /** Runs with one connection of the pool, and gives it back. */
  async function withConnection<T>(run: (connection: pg.Client) => Promise<T>): Promise<T> {
    const connection = await db.client.acquireConnection();
    try {
      return await run(connection);
    } finally {
      await db.client.releaseConnection(connection);
    }
  }
  const inside = (tx: Knex.Transaction): OpenTransaction => ({
    query: async (sql, parameters) => (await raw(tx, sql, parameters)).rows,
    savepoint: (run) => tx.transaction((nested) => run(inside(nested))),
  });
  return {
    // Not `db` itself: to look at all its getters has no end, because each look makes a new migrator.
    visible: db.client,
    query: async (sql, parameters) => (await raw(db, sql, parameters)).rows,
    async answer(sql, parameters) {
      const { command, rowCount, fields, rows } = await raw(db, sql, parameters);
      return { command, rowCount, fields, rows };
    },
    transaction: (run) => db.transaction((tx) => run(inside(tx))),
    end: () => db.destroy(),
    stream: (sql) => raw(db, sql).stream(),
    cancellable: (sql, signal) =>
      withConnection(async (connection) => {
        const [{ pid }] = (await raw(db, "select pg_backend_pid() as pid").connection(connection)).rows;
        signal.addEventListener("abort", () => void raw(db, "select pg_cancel_backend($1)", [pid]).then());
        return raw(db, sql).connection(connection);
      }),
    prepared: async (name, sql, parameters) => (await raw(db, sql, parameters).options({ name })).rows,
    copyIn: (sql, rows) => withConnection((connection) => copyIn(connection, sql, rows)),
    copyOut: (sql) => withConnection((connection) => copyOut(connection, sql)),
    async listen(channel, onPayload) {
      const connection: pg.Client = await db.client.acquireConnection();
      connection.on("notification", ({ payload }) => onPayload(payload ?? ""));
      await connection.query(`listen ${channel}`);
      return async () => {
        await connection.query(`unlisten ${channel}`);
        connection.removeAllListeners("notification");
        await db.client.releaseConnection(connection);
      };
    },
    script: async (sql) => void (await raw(db, sql)),
    notices: (sql) => withConnection((connection) => noticesOf(connection, () => raw(db, sql).connection(connection))),
    migrator(name) {
      const config: Knex.MigratorConfig = { migrationSource: oneMigration(name), tableName: `${name}_migrations` };
      return {
        up: async () => void (await db.migrate.latest(config)),
        down: async () => void (await db.migrate.rollback(config)),
      };
    },
  };
}

/** Knex's own way for raw SQL; it writes a parameter as `?`, and a question mark as `\?`. */
function raw(db: Knex, sql: string, parameters: unknown[] = []) {
  return db.raw(sql.replaceAll("?", "\\?").replaceAll(/\$\d+/g, "?"), parameters as Knex.RawBinding[]);
}

function oneMigration(table: string): Knex.MigrationSource<string> {
  return {
    getMigrations: async () => ["first"],
    getMigrationName: (name) => name,
    getMigration: async () => ({
      async up(db) {
        await db.schema.createTable(table, (columns) => void columns.integer("id"));
        await db(table).insert({ id: 1 });
      },
      down: (db) => db.schema.dropTable(table),
    }),
  };
}
