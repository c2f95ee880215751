import * as core from "@x/lakebase-core/postgres-js";

export type { LakebasePostgresOptions } from "@x/lakebase-core/postgres-js";

/**
 * A postgres.js client for Lakebase: the `sql` that `postgres()` returns, whose logins carry fresh tokens. `sql.end()` is
 * all there is to clean up; a handle given as `lakebase` stays yours.
 *
 * Options and defaults are those of `lakebasePostgres` of `@x/lakebase-core/postgres-js`: ours, and postgres.js' own beside
 * them. The default application name is `x-lakebase-postgres-js/<version>`.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebasePostgres } from "@x/lakebase-postgres-js";
 *
 * const sql = lakebasePostgres({ applicationName: { isv: "acme" }, max: 20 });
 * await sql`select 1`;
 * await sql.end();
 * ```
 */
export function lakebasePostgres<Types extends core.CustomTypes = Record<never, never>>(
  options: core.LakebasePostgresOptions<Types> = {},
): ReturnType<typeof core.lakebasePostgres<Types>> {
  return core.lakebasePostgres(options, "postgres-js");
}
