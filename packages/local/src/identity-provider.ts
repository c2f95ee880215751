import { SignJWT } from "jose";
import type { LocalClock } from "./clock.ts";
import { generateSigningKeys, type PublicJwk, type SigningKeys } from "./signing-keys.ts";

/** What a subject token says; each has a default with which it is good. */
export interface SubjectTokenOptions {
  /** Default: the client id of the project's owner. */
  subject?: string;
  /** Default: the audience that the workspace names in its `databricks-config`. */
  audience?: string | string[];
  /** Life from now on, seconds; default 600. */
  lifeSeconds?: number;
  /** Seconds until it is good, from now on; default 0. */
  notBeforeSeconds?: number;
  /** Default: the provider's own. */
  issuer?: string;
  /** Further claims, such as `email`. */
  claims?: Record<string, unknown>;
}

/** The identity provider of somebody else, whose tokens the workspace trusts. */
export interface IdentityProvider {
  readonly issuer: string;
  keys(): Promise<{ keys: PublicJwk[] }>;
  issue(options: SubjectTokenOptions & { subject: string; audience: string | string[] }): Promise<string>;
  secrets(): string[];
}

const KEY_ID = "local-identity-provider";

export function createIdentityProvider(issuer: string, clock: LocalClock): IdentityProvider {
  const given: string[] = [];
  // Few need it, and keys take their time.
  let made: Promise<SigningKeys> | undefined;
  const signingKeys = () => {
    made ??= generateSigningKeys();
    return made;
  };
  return {
    issuer,
    async keys() {
      const { publicKey } = await signingKeys();
      return { keys: [{ ...publicKey.export({ format: "jwk" }), kid: KEY_ID, alg: "RS256", use: "sig" }] };
    },
    async issue({ subject, audience, lifeSeconds = 600, notBeforeSeconds = 0, issuer: iss = issuer, claims = {} }) {
      const { privateKey } = await signingKeys();
      const now = Math.floor(clock.now() / 1000);
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: "RS256", kid: KEY_ID, typ: "JWT" })
        .setIssuer(iss)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(now)
        .setNotBefore(now + notBeforeSeconds)
        .setExpirationTime(now + lifeSeconds)
        .sign(privateKey);
      given.push(token);
      return token;
    },
    secrets: () => given,
  };
}
