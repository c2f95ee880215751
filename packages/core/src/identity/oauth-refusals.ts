import type { LakebaseErrorCode } from "../errors.ts";

interface Refusal {
  readonly code: LakebaseErrorCode;
  readonly retryable: boolean;
  readonly hint: string;
}

const unauthenticated = (hint: string): Refusal => ({ code: "ERR_LAKEBASE_UNAUTHENTICATED", retryable: false, hint });
const denied = (hint: string): Refusal => ({ code: "ERR_LAKEBASE_PERMISSION_DENIED", retryable: false, hint });
const unavailable: Refusal = { code: "ERR_LAKEBASE_UNAVAILABLE", retryable: true, hint: "the service failed" };

/** The words with which a token endpoint refuses: RFC 6749 sections 4.1.2.1 and 5.2, RFC 8693 section 2.2.2. */
const refusals: Readonly<Record<string, Refusal>> = {
  invalid_client: unauthenticated("the client was not accepted: check its id and secret"),
  invalid_grant: unauthenticated("what was given for a token was not accepted: it may have ended or been revoked"),
  unauthorized_client: denied("the client may not get tokens in this way"),
  access_denied: denied("access was denied"),
  invalid_scope: denied("the client may not have the scopes that were asked for"),
  invalid_target: denied("the client may not have tokens for this audience"),
  server_error: unavailable,
  temporarily_unavailable: unavailable,
};

/**
 * What an OAuth error means. Most come with status 400, which tells nothing.
 *
 * @returns `undefined` where the status says enough.
 */
export function oauthRefusal(status: number, json: unknown): Refusal | undefined {
  const { error } = Object(json) as { error?: unknown };
  const isRefusal = status >= 400 && status <= 403 && typeof error === "string";
  return isRefusal && Object.hasOwn(refusals, error) ? refusals[error] : undefined;
}
