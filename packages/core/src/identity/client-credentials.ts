import { LakebaseError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { WorkspaceAuth, WorkspaceAuthContext } from "../workspace-auth.ts";
import { requireSecret, tokenFromAnswer } from "./token-answer.ts";

/** Options of {@link clientCredentials}. */
export interface ClientCredentialsOptions {
  /** The application id of the service principal; it is also its Postgres user. */
  clientId: string;
  /** An OAuth secret of the service principal. */
  clientSecret: string | Secret;
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
  const clientId = requireSecret(options?.clientId, "auth: clientCredentials.clientId");
  const clientSecret = requireSecret(options?.clientSecret, "auth: clientCredentials.clientSecret");
  let tokenEndpoint: string | undefined;
  return {
    kind: "client-credentials",
    user: clientId.reveal(),
    async getToken(context) {
      tokenEndpoint ??= await discoverTokenEndpoint(context);
      const basic = Buffer.from(`${formEncode(clientId.reveal())}:${formEncode(clientSecret.reveal())}`).toString(
        "base64",
      );
      const { json } = await context.request("OAuth token request", {
        method: "POST",
        url: tokenEndpoint,
        headers: { authorization: `Basic ${basic}`, "content-type": "application/x-www-form-urlencoded" },
        body: "grant_type=client_credentials&scope=all-apis",
      });
      return tokenFromAnswer(json);
    },
  };
}

/** RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined. */
function formEncode(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}

/**
 * Where to ask for tokens. Workspaces publish it (RFC 8414); one that does not has Databricks' classic path.
 * Only https is followed: the secret goes there.
 */
async function discoverTokenEndpoint(context: WorkspaceAuthContext): Promise<string> {
  let discovered: unknown;
  try {
    const { json } = await context.request("OAuth discovery", {
      method: "GET",
      url: `${context.workspaceHost}/oidc/.well-known/oauth-authorization-server`,
    });
    discovered = json.token_endpoint;
  } catch (error) {
    if (!(error instanceof LakebaseError) || error.code !== "ERR_LAKEBASE_NOT_FOUND") throw error;
  }
  if (discovered === undefined) return `${context.workspaceHost}/oidc/v1/token`;
  const url = typeof discovered === "string" && URL.canParse(discovered) ? new URL(discovered) : undefined;
  if (url?.protocol !== "https:") {
    throw new LakebaseError(
      "ERR_LAKEBASE_TLS",
      `OAuth discovery at ${context.workspaceHost} names a token endpoint that is not https; the client secret is not sent to it`,
    );
  }
  return url.href;
}
