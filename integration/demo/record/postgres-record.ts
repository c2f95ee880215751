import { asc } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { type Books, readBooks } from "../app/books.ts";
import * as schema from "../app/schema.ts";
import { orders } from "../app/schema.ts";

/** What Postgres itself says in the end, asked straight and as a superuser: past the service, its pool and the front. */
export interface PostgresRecord {
  orders: { id: number; worker: number; number: number; takenBy: string }[];
  books: Books;
  /** Statements that it has completed for the service's role; `undefined` where the server does not count them. */
  statements: number | undefined;
  /** Transactions that it has undone in this database: every statement that fails makes one. */
  rollbacks: number;
}

/** Lets Postgres count from now on, if it can. */
export async function startCounting(postgresUrl: string): Promise<void> {
  await withClient(postgresUrl, async (client) => {
    if (await counts(client)) await client.query("create extension if not exists pg_stat_statements");
    await client.query("select pg_stat_reset()");
  });
}

/** Takes away what the role has made: a server given by LAKEBASE_TEST_PG_URL outlives the demo, and meets it again. */
export async function removeTables(postgresUrl: string, role: string): Promise<void> {
  await withClient(postgresUrl, (client) => client.query(`drop owned by ${client.escapeIdentifier(role)} cascade`));
}

export async function readPostgresRecord(postgresUrl: string, role: string): Promise<PostgresRecord> {
  return withClient(postgresUrl, async (client) => {
    const database = drizzle({ client, schema });
    return {
      orders: await database
        .select({ id: orders.id, worker: orders.worker, number: orders.number, takenBy: orders.takenBy })
        .from(orders)
        .orderBy(asc(orders.id)),
      books: await readBooks(database),
      statements: await countStatements(client, role),
      rollbacks: await countRollbacks(client),
    };
  });
}

async function countStatements(client: pg.Client, role: string): Promise<number | undefined> {
  if (!(await counts(client))) return undefined;
  const { rows } = await client.query(
    `select sum(calls)::float8 as calls from pg_stat_statements
     where userid = (select oid from pg_roles where rolname = $1)`,
    [role],
  );
  return rows[0]?.calls ?? 0;
}

/** The server has these figures of a session when that has ended. */
async function countRollbacks(client: pg.Client): Promise<number> {
  const { rows } = await client.query(
    "select xact_rollback::float8 as rollbacks from pg_stat_database where datname = current_database()",
  );
  return rows[0]?.rollbacks ?? 0;
}

async function counts(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query("select current_setting('shared_preload_libraries') as libraries");
  return String(rows[0]?.libraries).includes("pg_stat_statements");
}

/** Without TLS unless the URL asks for it: PGSSLMODE in the environment is meant for other servers. */
async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url, ssl: false });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
