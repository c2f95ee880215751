import { decodeJwt, errors, jwtVerify, SignJWT } from "jose";
import type { LocalClock } from "./clock.ts";
import { generateSigningKeys, type PublicJwk } from "./signing-keys.ts";

export type TokenKind = "workspace" | "credential";

/** A token that was given out; never the token itself. */
export interface IssuedToken {
  /** Such as `credential-3`; also the token's `jti`. */
  id: string;
  kind: TokenKind;
  /** Client id of a service principal, or e-mail of a person. */
  subject: string;
  /** What a workspace token opens; a credential has none. */
  scopes: readonly string[];
  expiresAt: Date;
}

export type TokenVerdict =
  | { kind: "valid"; token: IssuedToken }
  /** Not three parts of base64url JSON. */
  | { kind: "not-a-token" }
  | { kind: "expired"; tokenId?: string; exp: number }
  /** A wrong signature, a token of another purpose or place, or one that was revoked. */
  | { kind: "rejected"; tokenId?: string };

export interface TokenOffice {
  issue(
    kind: TokenKind,
    subject: string,
    lifeSeconds: number,
    scopes?: readonly string[],
  ): Promise<{ token: string; issued: IssuedToken }>;
  /** An ID token of OpenID Connect: it says who has signed in and opens nothing. */
  issueIdToken(options: {
    issuer: string;
    audience: string;
    subject: string;
    lifeSeconds: number;
    claims: Record<string, unknown>;
  }): Promise<string>;
  /** The keys with which clients check our tokens. */
  publicKeys(): { keys: PublicJwk[] };
  verify(token: string, kind: TokenKind): Promise<TokenVerdict>;
  /** The id of a token that was given out here, whatever has become of it. */
  identify(token: string): string | undefined;
  revoke(tokenId: string): void;
  revokeAll(kind: TokenKind): void;
  readonly issued: IssuedToken[];
  secrets(): string[];
}

/** What a token of each kind is for. The layout of real claims is not published; clients may rely on `exp` alone. */
const audiences: Record<TokenKind, string> = { workspace: "all-apis", credential: "databricks-database" };

const KEY_ID = "local-lakebase";

export async function createTokenOffice(options: { issuer: () => string; clock: LocalClock }): Promise<TokenOffice> {
  const { issuer, clock } = options;
  const { privateKey, publicKey } = await generateSigningKeys();
  const issued: IssuedToken[] = [];
  const counts: Record<TokenKind, number> = { workspace: 0, credential: 0 };
  const byToken = new Map<string, IssuedToken>();
  const idTokens: string[] = [];
  const revoked = new Set<string>();

  return {
    issued,
    async issue(kind, subject, lifeSeconds, scopes = []) {
      const issuedAt = Math.floor(clock.now() / 1000);
      const expiry = Math.ceil(clock.now() / 1000 + lifeSeconds);
      counts[kind] += 1;
      const id = `${kind}-${counts[kind]}`;
      const entry: IssuedToken = { id, kind, subject, scopes, expiresAt: new Date(expiry * 1000) };
      issued.push(entry);
      const token = await new SignJWT({ client_id: subject, scope: scopes.join(" ") || audiences[kind] })
        .setProtectedHeader({ alg: "RS256", kid: KEY_ID, typ: "at+jwt" })
        .setIssuer(issuer())
        .setAudience(audiences[kind])
        .setSubject(subject)
        .setJti(id)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiry)
        .sign(privateKey);
      byToken.set(token, entry);
      return { token, issued: entry };
    },
    async issueIdToken({ issuer: idIssuer, audience, subject, lifeSeconds, claims }) {
      const now = Math.floor(clock.now() / 1000);
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: "RS256", kid: KEY_ID, typ: "JWT" })
        .setIssuer(idIssuer)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(now)
        .setExpirationTime(now + lifeSeconds)
        .sign(privateKey);
      idTokens.push(token);
      return token;
    },
    publicKeys: () => ({
      keys: [{ ...publicKey.export({ format: "jwk" }), kid: KEY_ID, alg: "RS256", use: "sig" }],
    }),
    async verify(token, kind) {
      const tokenId = byToken.get(token)?.id;
      if (!isJwt(token)) return { kind: "not-a-token" };
      try {
        await jwtVerify(token, publicKey, {
          algorithms: ["RS256"],
          issuer: issuer(),
          audience: audiences[kind],
          currentDate: new Date(clock.now()),
        });
      } catch (error) {
        if (error instanceof errors.JWTExpired) {
          return { kind: "expired", exp: error.payload.exp ?? 0, ...(tokenId && { tokenId }) };
        }
        return { kind: "rejected", ...(tokenId && { tokenId }) };
      }
      const entry = byToken.get(token);
      return entry && !revoked.has(entry.id)
        ? { kind: "valid", token: entry }
        : { kind: "rejected", ...(tokenId && { tokenId }) };
    },
    identify: (token) => byToken.get(token)?.id,
    revoke: (tokenId) => void revoked.add(tokenId),
    revokeAll(kind) {
      for (const token of issued) if (token.kind === kind) revoked.add(token.id);
    },
    secrets: () => [...byToken.keys(), ...idTokens],
  };
}

function isJwt(token: string): boolean {
  try {
    decodeJwt(token);
    return true;
  } catch {
    return false;
  }
}
