/** What a server told about itself. `null` where it did not tell. */
export interface LakebaseDetection {
  /** Whether the server is Lakebase. */
  readonly isLakebase: boolean;
  readonly evidence: {
    /** `neon.lakebase_mode`, readable by everybody. */
    readonly lakebaseMode: string | null;
    /** `shared_preload_libraries`, readable only with `pg_read_all_settings`. */
    readonly preloadLibraries: readonly string[] | null;
    /** Roles that Databricks creates in every Lakebase. */
    readonly databricksRoles: boolean;
    /** The extension `databricks_auth` is on offer. */
    readonly databricksAuth: boolean;
  };
}

/** Runs one statement without parameters and answers its rows, or a driver's result that has them in `rows`. */
export type DetectionQuery = (sql: string) => PromiseLike<unknown>;

/**
 * Asks a server whether it is Lakebase, in one round trip. Safe inside a transaction.
 *
 * @param query Runs a statement on the connection in question, for example `(sql) => pool.query(sql)`.
 * @example
 * ```ts
 * import { detectLakebase } from "@x/lakebase-core";
 * import { lakebasePool } from "@x/lakebase-core/pg";
 *
 * const pool = lakebasePool();
 * const { isLakebase } = await detectLakebase((sql) => pool.query(sql));
 * ```
 */
export async function detectLakebase(query: DetectionQuery): Promise<LakebaseDetection> {
  // Loaded when asked for: most programs know what they connect to.
  const { probe, readEvidence } = await import("./detection-probe.ts");
  return readEvidence(await query(probe));
}
