import type { Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyAuth } from "./lazy-auth.ts";
import { requireSecret } from "./required.ts";

/**
 * A personal access token, for development. It authorizes the workspace calls only; Postgres gets a credential that is
 * minted with it. From the environment: `DATABRICKS_TOKEN`.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the token is missing.
 * @example
 * ```ts
 * import { createLakebase, personalAccessToken } from "@x/lakebase-core";
 *
 * export const connect = (token: string) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: personalAccessToken(token),
 *   });
 * ```
 */
export function personalAccessToken(token: string | Secret): WorkspaceAuth {
  return lazyAuth("personalAccessToken", requireSecret(token, "auth: personalAccessToken"));
}
