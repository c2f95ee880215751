import { type Answer, notFound } from "../api-error.ts";
import { knownScopes } from "./scopes.ts";
import { grantTypes } from "./token-endpoint.ts";

/** Where the workspace is and which account it belongs to. */
export interface WorkspacePlace {
  workspaceUrl: () => string;
  workspaceId: string;
  accountId: string;
  /** The host is shared by several workspaces. */
  unified: boolean;
}

/** The path that leads to an authorization server: the workspace's own, or that of an account. */
export const issuerPath = "/oidc(?:/accounts/([^/]+))?";

/**
 * @param accountId of the path; empty: the workspace's own authorization server, which a unified host has not
 * @throws ApiError NOT_FOUND
 */
export function findIssuer(accountId: string, place: WorkspacePlace): string {
  const url = place.workspaceUrl();
  if (accountId === "" && !place.unified) return `${url}/oidc`;
  if (accountId !== place.accountId) throw notFound("authorization server");
  return `${url}/oidc/accounts/${accountId}`;
}

/** RFC 8414 metadata. */
export function describeAuthorizationServer(issuer: string): Answer {
  return {
    status: 200,
    body: {
      issuer,
      authorization_endpoint: `${issuer}/v1/authorize`,
      token_endpoint: `${issuer}/v1/token`,
      revocation_endpoint: `${issuer}/v1/revoke`,
      jwks_uri: `${issuer}/jwks.json`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      grant_types_supported: grantTypes,
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
      scopes_supported: knownScopes,
    },
  };
}

/** Whom a subject token has to be for when a federation policy says nothing else. */
export function defaultAudiences(place: WorkspacePlace): string[] {
  const account = `${place.workspaceUrl()}/oidc/accounts/${place.accountId}/v1/token`;
  return [...(place.unified ? [] : [`${place.workspaceUrl()}/oidc/v1/token`]), account, place.accountId];
}

/** `/.well-known/databricks-config`: what kind of host this is, and where its OAuth is. */
export function describeHost(place: WorkspacePlace): Answer {
  const url = place.workspaceUrl();
  return {
    status: 200,
    body: {
      // Clients have to fill the braces in by themselves.
      oidc_endpoint: place.unified ? `${url}/oidc/accounts/{account_id}` : `${url}/oidc`,
      account_id: place.accountId,
      ...(!place.unified && { workspace_id: place.workspaceId }),
      host_type: place.unified ? "unified" : "workspace",
      cloud: "AWS",
      token_federation_default_oidc_audiences: defaultAudiences(place).slice(0, 1),
    },
  };
}
