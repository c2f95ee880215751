import type { Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyClient } from "./lazy-auth.ts";
import type { OAuthDiscoveryOptions } from "./oauth-endpoints.ts";
import { requireFunction } from "./required.ts";

/** What every way of token federation can be told. */
export interface FederationOptions extends OAuthDiscoveryOptions {
  /**
   * Application id of the service principal whose federation policy takes the token; it is also the Postgres user. Left
   * out, the account's policy says who it is. `undefined` is refused: it must not make somebody else of you.
   */
  clientId?: string;
}

/** Options of {@link tokenExchange}. */
export interface TokenExchangeOptions extends FederationOptions {
  /** Answers a JWT of your identity provider. Asked anew for every exchange, about once an hour. */
  subjectToken: () => string | Secret | Promise<string | Secret>;
}

/**
 * Token federation: a JWT of your own identity provider becomes a workspace token (RFC 8693), so that no Databricks secret
 * is kept anywhere. Databricks trusts the provider by a federation policy.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when `subjectToken` is no function, or `clientId` is given and empty.
 * @see https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation
 * @example
 * ```ts
 * import { createLakebase, tokenExchange } from "@x/lakebase-core";
 *
 * export const connect = (clientId: string, currentToken: () => Promise<string>) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: tokenExchange({ clientId, subjectToken: currentToken }),
 *   });
 * ```
 */
export function tokenExchange(options: TokenExchangeOptions): WorkspaceAuth {
  requireFunction(options?.subjectToken, "auth: tokenExchange.subjectToken");
  return lazyClient("tokenExchange", options);
}
