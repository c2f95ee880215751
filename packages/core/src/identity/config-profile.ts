import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyAuth } from "./lazy-auth.ts";

/** Options of {@link configProfile}. */
export interface ConfigProfileOptions {
  /** Default: `DATABRICKS_CONFIG_FILE`, else `.databrickscfg` in the home folder. */
  file?: string | undefined;
}

/**
 * A profile of `.databrickscfg`, which the tools of Databricks share on a machine: its workspace, and the identity that
 * its own fields name. The environment adds nothing to them. A file that others on the machine can read is told by a
 * `warning` event. From the environment: `DATABRICKS_CONFIG_PROFILE`.
 *
 * @param name Default: `DATABRICKS_CONFIG_PROFILE`, else the one chosen with `databricks auth switch`, else `DEFAULT`.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` at the first login, when there is no such profile, with the names of those
 * that there are.
 * @example
 * ```ts
 * import { configProfile, createLakebase } from "@x/lakebase-core";
 *
 * export const lakebase = createLakebase({
 *   endpoint: "projects/shop/branches/production/endpoints/primary",
 *   auth: configProfile("staging"),
 * });
 * ```
 */
export function configProfile(name?: string, options: ConfigProfileOptions = {}): WorkspaceAuth {
  return lazyAuth("configProfile", { ...options, name });
}
