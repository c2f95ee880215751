import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyClient } from "./lazy-auth.ts";
import { requireSecret } from "./required.ts";
import type { FederationOptions } from "./token-exchange.ts";

/** Options of {@link githubOidc}. */
export interface GithubOidcOptions extends FederationOptions {
  /**
   * Whom GitHub's token is for; the federation policy must name it. Default: the first default audience that the workspace
   * publishes, or else its token endpoint.
   */
  audience?: string;
}

/** Options of {@link environmentOidc}. */
export interface EnvironmentOidcOptions extends FederationOptions {
  /** Name of the variable that holds the token. Default `DATABRICKS_OIDC_TOKEN`. */
  variable?: string;
}

/** Options of {@link fileOidc}. */
export interface FileOidcOptions extends FederationOptions {
  /** File that holds the token, for example a projected service account token of Kubernetes. */
  path: string;
}

/**
 * A job of GitHub Actions, by the OIDC token that GitHub gives it: {@link tokenExchange} without a secret in the
 * repository. The job needs `permissions: { id-token: write }`; `ACTIONS_ID_TOKEN_REQUEST_URL` and
 * `ACTIONS_ID_TOKEN_REQUEST_TOKEN` are read from the handle's environment at every exchange.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when `clientId` is given and empty; at the first login, when the job may not
 * ask for a token.
 * @example
 * ```ts
 * import { createLakebase, githubOidc } from "@x/lakebase-core";
 *
 * export const connect = (clientId: string) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: githubOidc({ clientId }),
 *   });
 * ```
 */
export function githubOidc(options: GithubOidcOptions = {}): WorkspaceAuth {
  return lazyClient("githubOidc", options);
}

/**
 * {@link tokenExchange} with a JWT that an environment variable holds. The variable is read at every exchange.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when `clientId` is given and empty; at the first login, when the variable
 * holds no token.
 * @example
 * ```ts
 * import { createLakebase, environmentOidc } from "@x/lakebase-core";
 *
 * export const connect = (clientId: string) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: environmentOidc({ variable: "CI_JOB_JWT", clientId }),
 *   });
 * ```
 */
export function environmentOidc(options: EnvironmentOidcOptions = {}): WorkspaceAuth {
  return lazyClient("environmentOidc", options);
}

/**
 * {@link tokenExchange} with a JWT that a file holds. The file is read at every exchange, so a token that is rotated there
 * is taken up without a restart.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when `path` is missing, or `clientId` is given and empty; at the first
 * login, when the file cannot be read or holds no token.
 * @example
 * ```ts
 * import { createLakebase, fileOidc } from "@x/lakebase-core";
 *
 * export const connect = (clientId: string) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: fileOidc({ path: "/var/run/secrets/databricks/token", clientId }),
 *   });
 * ```
 */
export function fileOidc(options: FileOidcOptions): WorkspaceAuth {
  requireSecret(options?.path, "auth: fileOidc.path");
  return lazyClient("fileOidc", options);
}
