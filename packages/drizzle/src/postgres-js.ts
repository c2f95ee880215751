import * as core from "@x/lakebase-core/postgres-js";

export type { LakebasePostgresOptions } from "@x/lakebase-core/postgres-js";
export { lakebaseTablesFilter } from "./tables-filter.ts";

/**
 * A postgres.js client to hand to `drizzle-orm/postgres-js`. Drizzle does not end it: call `db.$client.end()`. Give it to
 * Drizzle alone: Drizzle changes how the client reads and writes dates and JSON, for everybody who uses it.
 *
 * Options and defaults are those of `lakebasePostgres` of `@x/lakebase-core/postgres-js`; only the default application name
 * differs, `x-lakebase-drizzle/<version>`.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebasePostgres } from "@x/lakebase-drizzle/postgres-js";
 * import { sql } from "drizzle-orm";
 * import { drizzle } from "drizzle-orm/postgres-js";
 *
 * const db = drizzle({ client: lakebasePostgres({ applicationName: { isv: "acme" } }) });
 * await db.execute(sql`select 1`);
 * await db.$client.end();
 * ```
 */
export function lakebasePostgres<Types extends core.CustomTypes = Record<never, never>>(
  options: core.LakebasePostgresOptions<Types> = {},
): ReturnType<typeof core.lakebasePostgres<Types>> {
  return core.lakebasePostgres(options, "drizzle");
}
