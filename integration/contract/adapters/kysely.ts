import { LakebaseDialect } from "@x/lakebase-kysely";
import * as kysely from "kysely";
import { CompiledQuery, Kysely, PostgresDialect, sql } from "kysely";
import type * as migration from "kysely/migration";
import pg from "pg";
import Cursor from "pg-cursor";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";
import { pgAdapter } from "./pg.ts";

// Kysely 0.28 has its migrator in the main entry, and no word for cancelling: a signal would be ignored.
const isOld = "Migrator" in kysely;
const { Migrator } = (await import(isOld ? "kysely" : "kysely/migration")) as typeof migration;

const throughPool =
  "Kysely has no word for it: its users take a connection of the pool, which is what the member pg shows";

export const kyselyAdapter: ContractAdapter = {
  name: "kysely",
  defaultName: "kysely",
  packages: ["kysely", "pg"],
  open: (options) => adapt(new LakebaseDialect({ ...options, cursor: Cursor })),
  openPlain: (url) => adapt(new PostgresDialect({ pool: new pg.Pool({ connectionString: url }), cursor: Cursor })),
  refuses: { ...pgAdapter.refuses, controlClient: pg.Client, pool: new pg.Pool() },
  lacks: {
    prepared: "Kysely has no names for statements",
    copyIn: throughPool,
    copyOut: throughPool,
    listen: throughPool,
    notices: throughPool,
    ...(isOld && { cancellable: "Kysely has no word for it before 0.29" }),
  },
};

type Database = Record<string, Row>;

function adapt(dialect: PostgresDialect): OpenAdapter {
  const db = new Kysely<Database>({ dialect });
  return {
    visible: db,
    query: (text, parameters) => rowsOf(db, text, parameters),
    answer: (text, parameters) => db.executeQuery(CompiledQuery.raw(text, parameters)),
    transaction: (run) => db.transaction().execute((tx) => run(inside(tx))),
    end: () => db.destroy(),
    stream: (text) =>
      db
        .selectFrom(sql<Row>`(${sql.raw(text)})`.as("streamed"))
        .selectAll()
        .stream(100),
    cancellable: (text, signal) =>
      db.executeQuery(CompiledQuery.raw(text), { signal, inflightQueryAbortStrategy: "cancel query" }),
    script: async (text) => void (await sql.raw(text).execute(db)),
    migrator: (table) => {
      const migrator = new Migrator({
        db,
        provider: {
          getMigrations: async () => ({
            first: {
              async up(schema) {
                await schema.schema.createTable(table).addColumn("id", "integer").execute();
                await schema.insertInto(table).values({ id: 1 }).execute();
              },
              down: (schema) => schema.schema.dropTable(table).execute(),
            },
          }),
        },
        migrationTableName: `${table}_migrations`,
        migrationLockTableName: `${table}_lock`,
      });
      /** Kysely tells a failure in its answer, and does not throw it. */
      const done = async (migration: ReturnType<migration.Migrator["migrateToLatest"]>) => {
        const { error } = await migration;
        if (error) throw error;
      };
      return { up: () => done(migrator.migrateToLatest()), down: () => done(migrator.migrateDown()) };
    },
  };
}

async function rowsOf(db: Kysely<Database>, text: string, parameters?: unknown[]): Promise<Row[]> {
  return (await db.executeQuery(CompiledQuery.raw(text, parameters))).rows as Row[];
}

function inside(tx: Kysely<Database>): OpenTransaction {
  return {
    query: (text, parameters) => rowsOf(tx, text, parameters),
    async savepoint(run) {
      await sql`savepoint s`.execute(tx);
      try {
        const result = await run(inside(tx));
        await sql`release savepoint s`.execute(tx);
        return result;
      } catch (error) {
        await sql`rollback to savepoint s`.execute(tx);
        throw error;
      }
    },
  };
}
