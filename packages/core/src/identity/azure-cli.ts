import type { WorkspaceAuth } from "../workspace-auth.ts";
import type { AzureOptions } from "./azure.ts";
import { lazyAuth } from "./lazy-auth.ts";

/** Options of {@link azureCli}. */
export interface AzureCliOptions extends AzureOptions {
  /** The Entra tenant of the workspace, where the account is in several. */
  tenantId?: string | undefined;
  /** The program. Default: `az` on the `PATH`. */
  path?: string | undefined;
}

/**
 * Whoever has signed in on this machine with `az login`, for a workspace on Azure; for development. Runs
 * `az account get-access-token` once an hour. From the environment: `DATABRICKS_AUTH_TYPE=azure-cli`, or where nothing else
 * is set; `ARM_TENANT_ID`. The CLI keeps a token for up to an hour and has no way to be asked for a new one.
 *
 * @throws LakebaseError at the first login: `ERR_LAKEBASE_UNAUTHENTICATED` when the CLI is not installed or nobody is
 * signed in, with what to run.
 * @example
 * ```ts
 * import { azureCli, createLakebase } from "@x/lakebase-core";
 *
 * export const lakebase = createLakebase({
 *   endpoint: "projects/shop/branches/production/endpoints/primary",
 *   workspaceHost: "https://adb-1234567890123456.7.azuredatabricks.net",
 *   auth: azureCli(),
 * });
 * ```
 */
export function azureCli(options: AzureCliOptions = {}): WorkspaceAuth {
  return lazyAuth("azureCli", options);
}
