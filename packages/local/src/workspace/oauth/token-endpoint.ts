import { type Answer, OAuthError } from "../api-error.ts";
import { type AuthorizationCodeContext, grantForAuthorizationCode } from "./authorization-code.ts";
import { type ClientCredentialsContext, grantForClientCredentials } from "./client-credentials.ts";
import { grantForRefreshToken, type RefreshContext } from "./refresh-tokens.ts";
import { grantForSubjectToken, type TokenExchangeContext } from "./token-exchange.ts";

/** A form that has come to the token endpoint. */
export interface TokenRequest {
  form: URLSearchParams;
  authorization: string | undefined;
  /** The authorization server that was asked: the workspace's or the account's. */
  issuer: string;
}

export type TokenEndpointContext = ClientCredentialsContext &
  TokenExchangeContext &
  AuthorizationCodeContext &
  RefreshContext;

/** The grants, by `grant_type`; a new one is a new entry. */
const grants: Record<string, (request: TokenRequest, context: TokenEndpointContext) => Promise<Answer>> = {
  client_credentials: grantForClientCredentials,
  authorization_code: grantForAuthorizationCode,
  refresh_token: grantForRefreshToken,
  "urn:ietf:params:oauth:grant-type:token-exchange": grantForSubjectToken,
};

export const grantTypes: readonly string[] = Object.keys(grants);

export async function answerTokenRequest(
  request: { contentType: string; authorization: string | undefined; body: string; issuer: string },
  context: TokenEndpointContext,
): Promise<Answer> {
  const form = readForm(request.contentType, request.body);
  const grantType = form.get("grant_type");
  if (!grantType) throw new OAuthError(400, "invalid_request", "grant_type is required");
  const grant = Object.hasOwn(grants, grantType) ? grants[grantType] : undefined;
  if (!grant) throw new OAuthError(400, "unsupported_grant_type", `grant_type must be one of ${grantTypes.join(", ")}`);
  const { authorization, issuer } = request;
  return grant({ form, authorization, issuer }, context);
}

/** RFC 6749, section 3.2: form-encoded, and no parameter twice. */
export function readForm(contentType: string, body: string): URLSearchParams {
  if (!/^application\/x-www-form-urlencoded\b/i.test(contentType)) {
    throw new OAuthError(400, "invalid_request", "the body must be application/x-www-form-urlencoded");
  }
  const form = new URLSearchParams(body);
  const twice = [...form.keys()].find((name) => form.getAll(name).length > 1);
  if (twice !== undefined) throw new OAuthError(400, "invalid_request", "a parameter must not be given twice");
  return form;
}
