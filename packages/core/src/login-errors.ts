import { errorChain, isLakebaseError } from "./error-chain.ts";

/**
 * What a failed login means.
 * - `rejected`: the token or password was refused; a new token may help.
 * - `waking`: the compute or a young branch is not ready; the same login may succeed in a moment.
 * - `other`: neither; trying again does not help.
 */
export type LoginFailure = "rejected" | "waking" | "other";

/** Codes under which a login itself is refused; the same text under another code is somebody else's. */
const loginCodes = /^(?:28...|XX000)$/;

/**
 * The SQLSTATEs and texts by which Lakebase and Postgres refuse a login, first match wins. Provisioned instances answer
 * with Postgres's own codes; the Autoscaling proxy sends `XX000` for everything, so its texts decide. A new text from a
 * live server is one more row.
 */
const serverErrors: readonly { readonly code: RegExp; readonly text?: RegExp; readonly meaning: LoginFailure }[] = [
  // A young branch to which the identity has not spread yet: seen for up to a minute, although the token is good.
  { code: loginCodes, text: /External authorization failed/i, meaning: "waking" },
  {
    code: loginCodes,
    text: /Failed to acquire permit to connect|Too many database connection attempts/i,
    meaning: "waking",
  },
  { code: loginCodes, text: /Couldn't connect to compute node|temporarily unavailable/i, meaning: "waking" },
  { code: /^(?:57P03|08(?!P01)...)$/, meaning: "waking" },
  {
    code: loginCodes,
    text: /JWT token has expired|not a valid JWT encoding|Failed to decode token/i,
    meaning: "rejected",
  },
  { code: /^28(?:P01|000)$/, meaning: "rejected" },
  { code: /^XX000$/, text: /password authentication failed|Invalid authorization/i, meaning: "rejected" },
];

/** Socket errors of a host that is not up yet. A name that does not exist or a bad certificate is not among them. */
const wakingCodes = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "EAI_AGAIN"]);
/** How node-postgres words a socket that was closed before the login was done; it gives no code. */
const closedEarly = /^Connection terminated unexpectedly$/;

export function classifyLoginError(error: unknown): LoginFailure {
  // Prisma keeps the server's words under names of its own.
  const {
    originalCode,
    code = originalCode,
    originalMessage,
    message = originalMessage,
  } = Object(error) as Partial<Record<"code" | "message" | "originalCode" | "originalMessage", unknown>>;
  const text = typeof message === "string" ? message : "";
  if (code === undefined) return closedEarly.test(text) ? "waking" : "other";
  if (typeof code !== "string") return "other";
  if (wakingCodes.has(code)) return "waking";
  return serverErrors.find((row) => row.code.test(code) && (row.text?.test(text) ?? true))?.meaning ?? "other";
}

/**
 * Whether a login was refused because of its token or password, also when an ORM has wrapped the error. By the time you
 * see such an error a new token has been tried once: the role is missing, the token is for another workspace, or the
 * identity has no access.
 *
 * @example
 * ```ts
 * import { isLoginRejected } from "@x/lakebase-core";
 *
 * export const hint = (error: unknown) =>
 *   isLoginRejected(error) ? "Is there a Postgres role for this identity?" : undefined;
 * ```
 */
export function isLoginRejected(error: unknown): boolean {
  return errorChain(error).some(
    (link) => isLakebaseError(link, "ERR_LAKEBASE_LOGIN_REJECTED") || classifyLoginError(link) === "rejected",
  );
}
