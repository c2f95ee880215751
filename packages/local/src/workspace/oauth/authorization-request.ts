import { OAuthError } from "../api-error.ts";
import { allowsRedirect, type OAuthApp, type OAuthApps } from "./oauth-apps.ts";
import { requestedScopes } from "./scopes.ts";

/** What an app asks of a person, after it was checked. */
export interface AuthorizationRequest {
  app: OAuthApp;
  redirectUri: string;
  scopes: readonly string[];
  /** Goes back as it came. */
  state: string | null;
  /** `code_challenge` of PKCE, S256. */
  challenge: string;
  nonce: string | undefined;
  /** The authorization server that was asked. */
  issuer: string;
  /** Who it probably is. */
  loginHint: string | null;
}

/** A request so wrong that nobody may be sent anywhere by it. */
export class UntrustedRequest extends Error {
  override name = "UntrustedRequest";
}

/** A request of a known app that is told what is wrong. */
export class RefusedRequest extends Error {
  override name = "RefusedRequest";
  readonly location: string;
  constructor(target: { redirectUri: string; state: string | null }, error: string, description: string) {
    super(description);
    this.location = redirectTo(target, { error, error_description: description });
  }
}

/**
 * Checks what has come to the authorization endpoint (RFC 6749, section 4.1.1; RFC 7636; RFC 9700).
 *
 * @throws UntrustedRequest when the app or its redirect URI is not known: an open redirector helps thieves
 * @throws RefusedRequest for everything else
 */
export function parseAuthorizationRequest(
  query: URLSearchParams,
  issuer: string,
  apps: OAuthApps,
): AuthorizationRequest {
  const twice = [...query.keys()].find((name) => query.getAll(name).length > 1);
  if (twice !== undefined) throw new UntrustedRequest("A parameter was given twice.");
  const app = apps.find(query.get("client_id"));
  if (!app) throw new UntrustedRequest("No app with this client_id is registered.");
  const redirectUri = query.get("redirect_uri");
  if (!redirectUri || !allowsRedirect(app, redirectUri)) {
    throw new UntrustedRequest(`The redirect_uri is not one that is registered for ${app.name}.`);
  }
  const state = query.get("state");
  const refuse = (error: string, description: string) => new RefusedRequest({ redirectUri, state }, error, description);
  if (query.get("response_type") !== "code") {
    throw refuse("unsupported_response_type", "response_type must be code");
  }
  const challenge = query.get("code_challenge") ?? "";
  if (query.get("code_challenge_method") !== "S256" || !/^[\w-]{43}$/.test(challenge)) {
    throw refuse("invalid_request", "code_challenge with code_challenge_method=S256 is required (PKCE)");
  }
  let scopes: string[];
  try {
    scopes = requestedScopes(query.get("scope"), app.scopes);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    throw refuse("invalid_scope", error.message);
  }
  const nonce = query.get("nonce") ?? undefined;
  return { app, redirectUri, scopes, state, challenge, nonce, issuer, loginHint: query.get("login_hint") };
}

/** The redirect URI with what the app is told. */
export function redirectTo(
  { redirectUri, state }: { redirectUri: string; state: string | null },
  answer: Record<string, string>,
): string {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
  if (state !== null) url.searchParams.set("state", state);
  return url.href;
}
