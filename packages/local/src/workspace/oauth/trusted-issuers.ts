import { createPublicKey, type KeyObject } from "node:crypto";
import {
  createLocalJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import type { Directory } from "../../directory.ts";
import type { PublicJwk } from "../../signing-keys.ts";
import { OAuthError } from "../api-error.ts";

/** Public keys in one of the shapes in which they come. */
export type IssuerKeys = { keys: PublicJwk[] } | KeyObject | string;

/** A federation policy: whose tokens are taken for a workspace token, and for whom. */
export interface TrustedIssuer {
  /** The `iss` of its tokens, compared as it is written. */
  issuer: string;
  /**
   * Its public keys: a JWK set (with several, tokens choose by `kid`), a key, one in PEM, or a function that is asked for
   * them at each token. RS256 and ES256 only.
   */
  keys: IssuerKeys | (() => IssuerKeys | Promise<IssuerKeys>);
  /** A token must be for one of these; default: the account's id, and the token endpoints of workspace and account. */
  audiences?: readonly string[];
  /** Which claim says who it is; default `sub`. */
  subjectClaim?: string;
  /**
   * A service principal's policy: tokens of this one subject may become that service principal, when they name it by
   * `client_id`. Left out, the policy is account-wide: the subject is the user name of a person or the client id of a
   * service principal, and no `client_id` is given.
   */
  servicePrincipal?: { clientId: string; subject: string };
}

/** A policy that has been set. */
export interface TrustHandle {
  /** Tokens of this policy are refused from now on. */
  remove(): void;
}

export interface TrustedIssuers {
  trust(policy: TrustedIssuer): TrustHandle;
  /**
   * Who a subject token is, after its signature, issuer, audience and times were checked.
   *
   * @throws OAuthError `invalid_grant` that says what is wrong with it
   */
  identify(subjectToken: string, clientId: string | undefined): Promise<string>;
}

export interface TrustedIssuersOptions {
  directory: Directory;
  defaultAudiences: () => readonly string[];
  now: () => number;
}

/** https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange */
const ALGORITHMS = ["RS256", "ES256"];

export function createTrustedIssuers({ directory, defaultAudiences, now }: TrustedIssuersOptions): TrustedIssuers {
  const policies = new Set<TrustedIssuer>();

  /** @returns who it is by one policy, or why it is nobody */
  async function judge(
    token: string,
    policy: TrustedIssuer,
    clientId: string | undefined,
  ): Promise<{ who: string } | string> {
    const { audiences = defaultAudiences(), subjectClaim = "sub", servicePrincipal } = policy;
    let claims: JWTPayload;
    try {
      claims = await verify(token, policy.keys, {
        algorithms: ALGORITHMS,
        issuer: policy.issuer,
        audience: [...audiences],
        currentDate: new Date(now()),
        requiredClaims: ["exp", subjectClaim],
      });
    } catch (error) {
      return reason(error);
    }
    const subject = claims[subjectClaim];
    if (typeof subject !== "string") return `the claim ${subjectClaim} of the token is no text`;
    if (servicePrincipal) {
      return servicePrincipal.subject === subject
        ? { who: servicePrincipal.clientId }
        : `no federation policy of service principal ${clientId} names this subject`;
    }
    return directory.knows(subject) ? { who: subject } : "the subject of the token is nobody in this account";
  }

  return {
    trust(policy) {
      const entry = { ...policy };
      policies.add(entry);
      return { remove: () => void policies.delete(entry) };
    },
    async identify(token, clientId) {
      const issuer = issuerOf(token);
      const candidates = [...policies].filter(
        (policy) => policy.issuer === issuer && policy.servicePrincipal?.clientId === clientId,
      );
      let why = clientId
        ? `service principal ${clientId} has no federation policy for the issuer of the token`
        : "no account-wide federation policy trusts the issuer of the token";
      for (const policy of candidates) {
        const verdict = await judge(token, policy, clientId);
        if (typeof verdict === "object") return verdict.who;
        why = verdict;
      }
      throw new OAuthError(400, "invalid_grant", why);
    },
  };
}

async function verify(token: string, keys: TrustedIssuer["keys"], options: JWTVerifyOptions): Promise<JWTPayload> {
  const found = typeof keys === "function" ? await keys() : keys;
  if (typeof found === "object" && "keys" in found) {
    return (await jwtVerify(token, createLocalJWKSet(found as JSONWebKeySet), options)).payload;
  }
  const key = typeof found === "string" ? createPublicKey(found) : found;
  return (await jwtVerify(token, key, options)).payload;
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    throw new OAuthError(400, "invalid_grant", "subject_token is not a JWT");
  }
}

function reason(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "the token has expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === "nbf"
      ? "the token is not valid yet"
      : `the claim ${error.claim} of the token is missing or not the one expected`;
  }
  return "the signature of the token is not one of the issuer's";
}
