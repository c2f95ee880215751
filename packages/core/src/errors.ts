/**
 * Every code that a {@link LakebaseError} can carry. Each has a heading in `docs/errors.md`.
 * Errors of Postgres itself are not wrapped in one of these: they reach you with their own SQLSTATE. The one exception is
 * `ERR_LAKEBASE_MISSING_ROLE`, of `createLakebaseUsers()` only.
 */
export type LakebaseErrorCode =
  | "ERR_LAKEBASE_CONFIG"
  | "ERR_LAKEBASE_HOST_REFUSED"
  | "ERR_LAKEBASE_UNAUTHENTICATED"
  | "ERR_LAKEBASE_PERMISSION_DENIED"
  | "ERR_LAKEBASE_MISSING_SCOPE"
  | "ERR_LAKEBASE_MISSING_ROLE"
  | "ERR_LAKEBASE_NOT_FOUND"
  | "ERR_LAKEBASE_BAD_REQUEST"
  | "ERR_LAKEBASE_RATE_LIMITED"
  | "ERR_LAKEBASE_UNAVAILABLE"
  | "ERR_LAKEBASE_BAD_RESPONSE"
  | "ERR_LAKEBASE_TLS"
  | "ERR_LAKEBASE_TIMEOUT"
  | "ERR_LAKEBASE_LOGIN_REJECTED"
  | "ERR_LAKEBASE_SIGN_IN_REQUIRED"
  | "ERR_LAKEBASE_SIGN_IN_DENIED"
  | "ERR_LAKEBASE_SIGN_IN_FAILED"
  | "ERR_LAKEBASE_TOKEN_STORE"
  | "ERR_LAKEBASE_TOO_MANY_USERS"
  | "ERR_LAKEBASE_ABORTED"
  | "ERR_LAKEBASE_CLOSED"
  | "ERR_LAKEBASE_DRIVER";

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** The option as you write it, for example `endpoint` or `ssl.ca`. */
  readonly option: string;
  /** The environment variable that sets the same thing, where there is one. */
  readonly variable?: string | undefined;
  /** What is wrong and what to do about it. */
  readonly message: string;
}

/** What a {@link LakebaseError} is made of, beside its message. */
export interface LakebaseErrorDetails {
  readonly cause?: unknown;
  /** Whether the same call may succeed later with nothing changed. Default `false`. */
  readonly retryable?: boolean;
  /** For `ERR_LAKEBASE_CONFIG` and `ERR_LAKEBASE_HOST_REFUSED`: every problem that was found. */
  readonly problems?: readonly ConfigProblem[];
  /** How long the server asked us to wait before the next call, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * An error raised by this library. Test its `code`, not its class: two copies of the library (ESM and CJS, say) have two
 * classes but the same codes.
 *
 * @example
 * ```ts
 * import { createLakebase, isLakebaseError } from "@x/lakebase-core";
 *
 * try {
 *   await createLakebase().warmup();
 * } catch (error) {
 *   if (isLakebaseError(error) && error.retryable) console.log("try again later:", error.code);
 *   else throw error;
 * }
 * ```
 */
export class LakebaseError extends Error {
  override readonly name = "LakebaseError";
  readonly code: LakebaseErrorCode;
  readonly retryable: boolean;
  declare readonly problems?: readonly ConfigProblem[];
  declare readonly retryAfterMs?: number;

  constructor(code: LakebaseErrorCode, message: string, details: LakebaseErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? false;
    if (details.problems) this.problems = details.problems;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
  }
}

/**
 * One error for any number of problems, each with its option, its variable and the next step; for authors of adapters.
 *
 * @param code Default `ERR_LAKEBASE_CONFIG`.
 * @example
 * ```ts
 * import { configError } from "@x/lakebase-core";
 *
 * export function wholeNumber(option: string, value: number): number {
 *   if (Number.isInteger(value)) return value;
 *   throw configError([{ option, message: "must be a whole number" }]);
 * }
 * ```
 */
export function configError(problems: readonly ConfigProblem[], code: LakebaseErrorCode = "ERR_LAKEBASE_CONFIG") {
  const lines = problems.map(
    ({ option, variable, message }) => `\`${option}\`${variable ? ` (environment: ${variable})` : ""}: ${message}`,
  );
  const text =
    lines.length === 1
      ? `Lakebase configuration: ${lines[0]}`
      : `Lakebase configuration has ${lines.length} problems:\n${lines.map((line) => `  - ${line}`).join("\n")}`;
  return new LakebaseError(code, text, { problems });
}
