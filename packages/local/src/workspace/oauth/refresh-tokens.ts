import { type Answer, OAuthError } from "../api-error.ts";
import { givenCredentials } from "./client-authentication.ts";
import type { OAuthApps } from "./oauth-apps.ts";
import { requestedScopes } from "./scopes.ts";
import type { SignIns } from "./sign-ins.ts";
import type { TokenRequest } from "./token-endpoint.ts";

export interface RefreshContext {
  apps: OAuthApps;
  signIns: SignIns;
}

/** `refresh_token`: a new access token, and a new refresh token in place of the one that was given. */
export async function grantForRefreshToken(
  { form, authorization }: TokenRequest,
  { apps, signIns }: RefreshContext,
): Promise<Answer> {
  const app = apps.authenticate(givenCredentials(authorization, form));
  const refreshToken = form.get("refresh_token");
  if (!refreshToken) throw new OAuthError(400, "invalid_request", "refresh_token is required");
  const scope = form.get("scope");
  // Scopes are looked at first: a mistake in them must not use the token up.
  const scopes = scope === null ? undefined : requestedScopes(scope, signIns.find(refreshToken)?.scopes ?? app.scopes);
  return signIns.issue(signIns.redeem(refreshToken, app.clientId), scopes);
}
