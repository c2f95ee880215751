import { fileURLToPath } from "node:url";
import type { Lakebase } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-drizzle";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import * as schema from "./schema.ts";

export type Database = NodePgDatabase<typeof schema>;

/** By which Databricks knows the product, in each request to the workspace and in the logins of the office. */
export const applicationName = { isv: "acme", product: "orders", version: "1.0" };

/** Where the tables are made and the books are kept, in Drizzle, whatever library takes the orders. */
export function openOffice(lakebase: Lakebase, limits: { max: number; maxLifetimeSeconds: number }) {
  return drizzle({ client: lakebasePool({ lakebase, ...limits }), schema });
}

const migrationsFolder = fileURLToPath(new URL("../drizzle/migrations", import.meta.url));

export async function migrateDatabase(database: Database): Promise<void> {
  await migrate(database, { migrationsFolder });
}
