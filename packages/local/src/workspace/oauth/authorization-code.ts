import { createHash, randomBytes } from "node:crypto";
import { type Answer, OAuthError } from "../api-error.ts";
import type { AuthorizationRequest } from "./authorization-request.ts";
import { givenCredentials } from "./client-authentication.ts";
import type { OAuthApps } from "./oauth-apps.ts";
import type { SignIn, SignIns } from "./sign-ins.ts";
import type { TokenRequest } from "./token-endpoint.ts";

/** The codes that lead from the consent page to the first token. */
export interface AuthorizationCodes {
  /** A code for what a person has allowed. */
  issue(request: AuthorizationRequest, person: string): string;
  /** What a code stands for; it is good for one look. `signIn` is there when it was used before. */
  take(code: string): (AuthorizationRequest & { person: string; expired: boolean; signIn?: SignIn }) | undefined;
  /** Notes what came of a code, so that its second use can undo it. */
  used(code: string, signIn: SignIn): void;
  secrets(): string[];
}

const CODE_LIFE_MS = 60_000;

export function createAuthorizationCodes(now: () => number): AuthorizationCodes {
  const codes = new Map<
    string,
    { request: AuthorizationRequest; person: string; expiresAt: number; taken: boolean; signIn?: SignIn }
  >();
  return {
    issue(request, person) {
      const code = randomBytes(32).toString("base64url");
      codes.set(code, { request, person, expiresAt: now() + CODE_LIFE_MS, taken: false });
      return code;
    },
    take(code) {
      const entry = codes.get(code);
      if (!entry || (entry.taken && !entry.signIn)) return undefined;
      entry.taken = true;
      const { request, person, expiresAt, signIn } = entry;
      return { ...request, person, expired: expiresAt <= now(), ...(signIn && { signIn }) };
    },
    used(code, signIn) {
      const entry = codes.get(code);
      if (entry) entry.signIn = signIn;
    },
    secrets: () => [...codes.keys()],
  };
}

export interface AuthorizationCodeContext {
  apps: OAuthApps;
  signIns: SignIns;
  codes: AuthorizationCodes;
}

/** `authorization_code` with PKCE S256 (RFC 6749, section 4.1.3; RFC 7636). */
export async function grantForAuthorizationCode(
  { form, authorization }: TokenRequest,
  { apps, signIns, codes }: AuthorizationCodeContext,
): Promise<Answer> {
  const app = apps.authenticate(givenCredentials(authorization, form));
  const [code, verifier, redirectUri] = ["code", "code_verifier", "redirect_uri"].map((name) => {
    const value = form.get(name);
    if (!value) throw new OAuthError(400, "invalid_request", `${name} is required`);
    return value;
  }) as [string, string, string];
  const given = codes.take(code);
  // RFC 6749, section 4.1.2: a code that comes twice may have been stolen.
  if (given?.signIn) signIns.end(given.signIn);
  const wrong =
    !given || given.signIn || given.app.clientId !== app.clientId
      ? "the code is unknown, of another client or was used before"
      : given.expired
        ? "the code has expired"
        : given.redirectUri !== redirectUri
          ? "redirect_uri is not the one of the authorization request"
          : given.challenge !== createHash("sha256").update(verifier).digest("base64url")
            ? "code_verifier does not fit the code_challenge"
            : undefined;
  if (!given || wrong !== undefined) throw new OAuthError(400, "invalid_grant", wrong ?? "the code is unknown");
  const { person, scopes, issuer, nonce } = given;
  const signIn = signIns.open({
    person,
    clientId: app.clientId,
    scopes,
    issuer,
    nonce,
    rotates: app.rotatesRefreshTokens,
  });
  codes.used(code, signIn);
  return signIns.issue(signIn);
}
