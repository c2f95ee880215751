import { fileURLToPath } from "node:url";
import type { LakebaseEvent } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-drizzle";
import type { Logger } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import * as schema from "./schema.ts";

export type Database = NodePgDatabase<typeof schema>;

export interface DatabaseOptions {
  /** Where DATABRICKS_HOST, LAKEBASE_ENDPOINT, PGHOST and their kin are read from. */
  env: Record<string, string>;
  onEvent: (event: LakebaseEvent) => void;
  logger: Logger;
}

/** By which Databricks knows the product: in each login's startup packet, and in each request to the workspace. */
export const applicationName = { isv: "acme", product: "orders", version: "1.0" };

/** The one place in this service that knows of Lakebase; all else is Drizzle as its own documentation has it. */
export function openDatabase({ env, onEvent, logger }: DatabaseOptions) {
  const client = lakebasePool({
    env,
    applicationName,
    max: 8,
    // Much too short for a service: Lakebase checks a token at login only, so the demo logs in all the time.
    maxLifetimeSeconds: 0.5,
    onEvent,
  });
  return drizzle({ client, schema, logger });
}

const migrationsFolder = fileURLToPath(new URL("../drizzle/migrations", import.meta.url));

export async function migrateDatabase(database: Database): Promise<void> {
  await migrate(database, { migrationsFolder });
}
