import type { Directory } from "../directory.ts";
import type { TokenOffice } from "../tokens.ts";
import { type Answer, OAuthError } from "./api-error.ts";

export interface OAuthContext {
  directory: Directory;
  tokens: TokenOffice;
  workspaceUrl: () => string;
  workspaceTokenLifeSeconds: number;
}

export interface TokenRequest {
  contentType: string;
  authorization: string | undefined;
  body: string;
}

export function authorizationServer(url: string): Answer {
  return {
    status: 200,
    body: {
      issuer: `${url}/oidc`,
      authorization_endpoint: `${url}/oidc/v1/authorize`,
      token_endpoint: `${url}/oidc/v1/token`,
      grant_types_supported: ["client_credentials"],
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
      scopes_supported: ["all-apis"],
    },
  };
}

/** `client_credentials`, the way in which a service principal gets its workspace token. */
export async function grantToken(request: TokenRequest, context: OAuthContext): Promise<Answer> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.contentType)) {
    throw new OAuthError(400, "invalid_request", "the body must be application/x-www-form-urlencoded");
  }
  const form = new URLSearchParams(request.body);
  if (form.get("grant_type") !== "client_credentials") {
    throw new OAuthError(400, "unsupported_grant_type", "the local Lakebase grants client_credentials only");
  }
  const given = basicCredentials(request.authorization) ?? [form.get("client_id"), form.get("client_secret")];
  const clientId = context.directory.authenticateClient(given[0] ?? "", given[1] ?? "");
  if (!clientId) throw new OAuthError(401, "invalid_client", "Client authentication failed");
  if (!form.get("scope")?.split(" ").includes("all-apis")) {
    throw new OAuthError(400, "invalid_scope", "scope must hold all-apis");
  }
  const life = context.workspaceTokenLifeSeconds;
  const { token } = await context.tokens.issue("workspace", clientId, life);
  return {
    status: 200,
    body: { access_token: token, token_type: "Bearer", expires_in: life, scope: "all-apis" },
    headers: { "cache-control": "no-store" },
  };
}

/** The user and password of a Basic header. */
export function basicCredentials(authorization: string | undefined): [string, string] | undefined {
  const encoded = /^Basic (.+)$/i.exec(authorization ?? "")?.[1];
  if (!encoded) return undefined;
  const [name = "", ...rest] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  return [formDecode(name), formDecode(rest.join(":"))];
}

// RFC 6749, section 2.3.1: both halves are form-encoded before they are joined.
function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
