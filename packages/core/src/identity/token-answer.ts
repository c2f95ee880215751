import { configError, LakebaseError } from "../errors.ts";
import { createSecret, isSecret, type Secret } from "../secret.ts";
import type { WorkspaceToken } from "../workspace-auth.ts";

/**
 * A value that an identity cannot do without.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when it is undefined or empty: a missing secret must not fall back to
 * another identity.
 */
export function requireSecret(value: unknown, option: string): Secret {
  if (isSecret(value)) return value;
  if (typeof value === "string" && value.trim() !== "") return createSecret(value.trim());
  throw configError([
    {
      option,
      message: `is ${value === undefined ? "undefined" : "empty or not a string"}; where does it come from, and is that set? It is never replaced by the environment`,
    },
  ]);
}

/** Whether a string can be sent as a password or in a header. */
export function isTokenText(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}

/** Reads the answer of an OAuth token endpoint (RFC 6749 section 5.1). */
export function tokenFromAnswer(json: Readonly<Record<string, unknown>>): WorkspaceToken {
  if (!isTokenText(json.access_token)) {
    throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", "the OAuth token answer holds no usable access_token");
  }
  // Some of Databricks' own tools send a string where the RFC has a number.
  const seconds = typeof json.expires_in === "string" ? Number.parseFloat(json.expires_in) : json.expires_in;
  const lifetimeMs = typeof seconds === "number" && seconds > 0 ? seconds * 1000 : undefined;
  return { token: createSecret(json.access_token), lifetimeMs };
}
