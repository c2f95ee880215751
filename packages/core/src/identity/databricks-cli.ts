import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyAuth } from "./lazy-auth.ts";

/** Options of {@link databricksCli}. */
export interface DatabricksCliOptions {
  /** A profile of `.databrickscfg`; it names the workspace too. */
  profile?: string | undefined;
  /** `https://…` of the workspace, where there is no profile. Default: the `workspaceHost` of the handle. */
  host?: string | undefined;
  /** The program. Default: `DATABRICKS_CLI_PATH`, else `databricks` on the `PATH`. */
  path?: string | undefined;
}

/**
 * Whoever has signed in on this machine with `databricks auth login`; for development. Runs `databricks auth token` once
 * an hour; the CLI keeps and refreshes the session. From the environment: `DATABRICKS_AUTH_TYPE=databricks-cli`, or where
 * nothing else is set.
 *
 * @throws LakebaseError at the first login: `ERR_LAKEBASE_CONFIG` when both a profile and a host are given,
 * `ERR_LAKEBASE_UNAUTHENTICATED` when the CLI is not installed or nobody is signed in, with what to run.
 * @example
 * ```ts
 * import { createLakebase, databricksCli } from "@x/lakebase-core";
 *
 * export const lakebase = createLakebase({
 *   endpoint: "projects/shop/branches/production/endpoints/primary",
 *   auth: databricksCli({ profile: "dev" }),
 * });
 * ```
 */
export function databricksCli(options: DatabricksCliOptions = {}): WorkspaceAuth {
  return lazyAuth("databricksCli", options);
}
