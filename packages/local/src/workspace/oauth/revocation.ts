import type { TokenOffice } from "../../tokens.ts";
import { type Answer, OAuthError } from "../api-error.ts";
import { givenCredentials } from "./client-authentication.ts";
import type { OAuthApps } from "./oauth-apps.ts";
import type { SignIns } from "./sign-ins.ts";
import { readForm } from "./token-endpoint.ts";

export interface RevocationContext {
  apps: OAuthApps;
  signIns: SignIns;
  tokens: TokenOffice;
}

/** `POST …/v1/revoke` (RFC 7009): an app gives a token back. With a refresh token its whole sign-in ends. */
export function revokeToken(
  request: { contentType: string; authorization: string | undefined; body: string },
  { apps, signIns, tokens }: RevocationContext,
): Answer {
  const form = readForm(request.contentType, request.body);
  const { clientId } = apps.authenticate(givenCredentials(request.authorization, form));
  const token = form.get("token");
  if (!token) throw new OAuthError(400, "invalid_request", "token is required");
  const signIn = signIns.find(token);
  const tokenId = tokens.identify(token);
  if (signIn?.clientId === clientId) signIns.end(signIn);
  else if (tokenId !== undefined && signIns.owns(clientId, tokenId)) tokens.revoke(tokenId);
  // Nothing is said of tokens that are unknown or somebody else's.
  return { status: 200, body: "" };
}
