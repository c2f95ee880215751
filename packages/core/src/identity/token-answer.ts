import { LakebaseError } from "../errors.ts";
import { createSecret } from "../secret.ts";
import type { WorkspaceToken } from "../workspace-auth.ts";

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
  const lifetimeMs = typeof seconds === "number" && Number.isFinite(seconds) ? seconds * 1000 : undefined;
  return { token: createSecret(json.access_token), lifetimeMs };
}

/** The `exp` of a JWT, milliseconds. The rest of the layout of Databricks' tokens is not documented, and not read. */
export function jwtExpiry(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    const { exp } = claims as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
