import { asc } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { type Books, readBooks } from "../app/books.ts";
import * as schema from "../app/schema.ts";

/** What Postgres itself says in the end, asked straight and as a superuser: past the service, its pool and the front. */
export interface PostgresRecord {
  orders: { id: number; worker: number; number: number }[];
  books: Books;
  /** Statements that it has completed for the service's role; `undefined` where the server does not count them. */
  statements: number | undefined;
}

/** Lets Postgres count from now on. */
export async function startCounting(postgresUrl: string): Promise<void> {
  await withClient(postgresUrl, (client) => client.query("create extension if not exists pg_stat_statements"));
}

export async function readPostgresRecord(postgresUrl: string, role: string): Promise<PostgresRecord> {
  return withClient(postgresUrl, async (client) => {
    const database = drizzle({ client, schema });
    const { orders } = schema;
    return {
      orders: await database
        .select({ id: orders.id, worker: orders.worker, number: orders.number })
        .from(orders)
        .orderBy(asc(orders.id)),
      books: await readBooks(database),
      statements: await countStatements(client, role),
    };
  });
}

async function countStatements(client: pg.Client, role: string): Promise<number | undefined> {
  const preloaded = await client.query("select current_setting('shared_preload_libraries') as libraries");
  if (!String(preloaded.rows[0]?.libraries).includes("pg_stat_statements")) return undefined;
  const { rows } = await client.query(
    `select sum(calls)::float8 as calls from pg_stat_statements
     where userid = (select oid from pg_roles where rolname = $1)`,
    [role],
  );
  return rows[0]?.calls ?? 0;
}

async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
