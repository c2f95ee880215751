import { LakebaseError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { WorkspaceAuthContext } from "../workspace-auth.ts";
import type { AuthFlow } from "./lazy-auth.ts";
import { tokenFromAnswer } from "./token-answer.ts";

/** The calls of the client credentials grant (RFC 6749 section 4.4). The token endpoint is looked up once. */
export function createFlow(clientId: Secret, clientSecret: Secret): AuthFlow {
  const basic = Buffer.from(`${formEncode(clientId)}:${formEncode(clientSecret)}`).toString("base64");
  let tokenEndpoint: string | undefined;
  const getToken = async (context: WorkspaceAuthContext) => {
    tokenEndpoint ??= await discoverTokenEndpoint(context);
    const { json } = await context.request("OAuth token request", {
      method: "POST",
      url: tokenEndpoint,
      headers: { authorization: `Basic ${basic}`, "content-type": "application/x-www-form-urlencoded" },
      body: "grant_type=client_credentials&scope=all-apis",
    });
    return tokenFromAnswer(json);
  };
  return { getToken };
}

/** RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined. */
function formEncode(secret: Secret): string {
  return new URLSearchParams([["", secret.reveal()]]).toString().slice(1);
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
