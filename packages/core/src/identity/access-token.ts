import type { Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyAuth } from "./lazy-auth.ts";
import { requireFunction } from "./required.ts";

/** Answers the workspace token that the application holds. */
export type AccessTokenProvider = () => string | Secret | Promise<string | Secret>;

/**
 * A workspace access token that your application already holds and keeps fresh. The function is called when a new
 * credential is to be minted, about once an hour, and again at once when the workspace answers 401 to its token.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when it is given anything but a function: a token in a string would be
 * dead within the hour.
 * @example
 * ```ts
 * import { accessToken, createLakebase } from "@x/lakebase-core";
 *
 * export const connect = (currentToken: () => Promise<string>) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: accessToken(currentToken),
 *   });
 * ```
 */
export function accessToken(provider: AccessTokenProvider): WorkspaceAuth {
  requireFunction(provider, "auth: accessToken");
  return lazyAuth("accessToken", provider);
}
