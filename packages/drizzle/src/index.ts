import * as core from "@x/lakebase-core/pg";

export { LakebasePool, type LakebasePoolOptions } from "@x/lakebase-core/pg";
export { lakebaseTablesFilter } from "./tables-filter.ts";

/**
 * A node-postgres pool to hand to Drizzle. You get a real `pg.Pool`, so `db.$client` is one, and Drizzle runs
 * transactions on one connection of it. Drizzle does not end it: call `db.$client.end()`.
 *
 * Options and defaults are those of `lakebasePool` of `@x/lakebase-core/pg`; only the default application name differs,
 * `x-lakebase-drizzle/<version>`.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebasePool } from "@x/lakebase-drizzle";
 * import { sql } from "drizzle-orm";
 * import { drizzle } from "drizzle-orm/node-postgres";
 *
 * const db = drizzle({ client: lakebasePool({ applicationName: { isv: "acme" } }) });
 * await db.execute(sql`select 1`);
 * await db.$client.end();
 * ```
 */
export function lakebasePool(options: core.LakebasePoolOptions = {}): core.LakebasePool {
  return core.lakebasePool(options, "drizzle");
}
