import type { Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyClient } from "./lazy-auth.ts";
import type { OAuthDiscoveryOptions } from "./oauth-endpoints.ts";
import { requireSecret } from "./required.ts";

/** Options of {@link clientCredentials}. */
export interface ClientCredentialsOptions extends OAuthDiscoveryOptions {
  /** The application id of the service principal; it is also its Postgres user. */
  clientId: string;
  /** An OAuth secret of the service principal. */
  clientSecret: string | Secret;
  /** For a secret that is limited to scopes: `["postgres"]` is enough for a login. Default `["all-apis"]`. */
  scopes?: readonly string[] | undefined;
}

/**
 * A service principal by OAuth client credentials (M2M). From the environment: `DATABRICKS_CLIENT_ID`,
 * `DATABRICKS_CLIENT_SECRET`.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when either is missing: an undefined secret is never a fallback.
 * @example
 * ```ts
 * import { clientCredentials, createLakebase } from "@x/lakebase-core";
 *
 * export const connect = (clientId: string, clientSecret: string) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: clientCredentials({ clientId, clientSecret }),
 *   });
 * ```
 */
export function clientCredentials(options: ClientCredentialsOptions): WorkspaceAuth {
  const clientSecret = requireSecret(options?.clientSecret, "auth: clientCredentials.clientSecret");
  return lazyClient("clientCredentials", {
    ...options,
    clientId: options.clientId,
    clientSecret,
  });
}
