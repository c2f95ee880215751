import type { LakebaseDetection } from "./detect.ts";

/**
 * One statement that every role may run and that does not fail: `SHOW shared_preload_libraries` alone raises 42501 for an
 * ordinary role, which would spoil an open transaction.
 */
export const probe = `select
  current_setting('neon.lakebase_mode', true) as lakebase_mode,
  case when pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
    then current_setting('shared_preload_libraries', true) end as preload_libraries,
  exists (select from pg_catalog.pg_roles where rolname in ('databricks_superuser', 'databricks_control_plane')) as databricks_roles,
  exists (select from pg_catalog.pg_available_extensions where name = 'databricks_auth') as databricks_auth`;

/** Reads the one row of the probe. */
export function readEvidence(result: unknown): LakebaseDetection {
  const rows = Array.isArray(result) ? result : (result as { rows?: unknown } | undefined)?.rows;
  const row = (Array.isArray(rows) ? rows[0] : undefined) as Record<string, unknown> | undefined;
  if (typeof row !== "object" || row === null) {
    throw new TypeError("detectLakebase: the query function must answer an array of rows, or an object with `rows`");
  }
  const libraries =
    typeof row.preload_libraries === "string"
      ? row.preload_libraries
          .split(",")
          .map((name) => name.trim())
          .filter((name) => name !== "")
      : null;
  const evidence = {
    lakebaseMode: typeof row.lakebase_mode === "string" ? row.lakebase_mode : null,
    preloadLibraries: libraries,
    databricksRoles: row.databricks_roles === true,
    databricksAuth: row.databricks_auth === true,
  };
  // The partner guide asks for both libraries; plain Neon has the first alone.
  const preloaded = ["neon", "databricks_auth"].every((name) => libraries?.includes(name));
  const isLakebase =
    evidence.lakebaseMode === "on" || preloaded || (evidence.databricksRoles && evidence.databricksAuth);
  return { isLakebase, evidence };
}
