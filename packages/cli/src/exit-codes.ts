import type { LakebaseErrorCode } from "@x/lakebase-core";

/** What our own exit codes mean. Below 126 they are only given before a command was started: after that, its own count. */
export const exitCodes = {
  done: 0,
  unexpected: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  unavailable: 5,
  distrusted: 6,
  /** As shells have it. */
  cannotRun: 126,
  /** As shells have it. */
  noSuchCommand: 127,
} as const;

const byErrorCode: Readonly<Record<LakebaseErrorCode, number>> = {
  ERR_LAKEBASE_CONFIG: exitCodes.usage,
  ERR_LAKEBASE_HOST_REFUSED: exitCodes.usage,
  ERR_LAKEBASE_BAD_REQUEST: exitCodes.usage,
  ERR_LAKEBASE_UNAUTHENTICATED: exitCodes.refused,
  ERR_LAKEBASE_PERMISSION_DENIED: exitCodes.refused,
  ERR_LAKEBASE_MISSING_SCOPE: exitCodes.refused,
  ERR_LAKEBASE_MISSING_ROLE: exitCodes.refused,
  ERR_LAKEBASE_LOGIN_REJECTED: exitCodes.refused,
  ERR_LAKEBASE_SIGN_IN_REQUIRED: exitCodes.refused,
  ERR_LAKEBASE_SIGN_IN_DENIED: exitCodes.refused,
  ERR_LAKEBASE_SIGN_IN_FAILED: exitCodes.refused,
  ERR_LAKEBASE_NOT_FOUND: exitCodes.notFound,
  ERR_LAKEBASE_RATE_LIMITED: exitCodes.unavailable,
  ERR_LAKEBASE_UNAVAILABLE: exitCodes.unavailable,
  ERR_LAKEBASE_TIMEOUT: exitCodes.unavailable,
  ERR_LAKEBASE_TOKEN_STORE: exitCodes.unavailable,
  ERR_LAKEBASE_TOO_MANY_USERS: exitCodes.unavailable,
  ERR_LAKEBASE_TLS: exitCodes.distrusted,
  ERR_LAKEBASE_BAD_RESPONSE: exitCodes.distrusted,
  ERR_LAKEBASE_ABORTED: exitCodes.unexpected,
  ERR_LAKEBASE_CLOSED: exitCodes.unexpected,
  ERR_LAKEBASE_DRIVER: exitCodes.unexpected,
};

/** The exit code for an error of the library. */
export function exitCodeOf(code: LakebaseErrorCode): number {
  // A newer core may know more codes.
  return byErrorCode[code] ?? exitCodes.unexpected;
}
