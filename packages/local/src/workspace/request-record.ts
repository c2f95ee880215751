/** What a request asks for; `unknown` when there is no such route. */
export type Operation =
  | "discovery"
  | "token"
  | "authorize"
  | "consent"
  | "revoke"
  | "keys"
  | "credential"
  | "endpoint"
  | "endpoints"
  | "branch"
  | "branches"
  | "project"
  | "projects"
  | "instance"
  | "instances"
  | "me"
  | "unknown";

/** One request to the workspace API, written when it has come and completed when it is answered. */
export interface RequestRecord {
  /** Of the local clock. */
  at: Date;
  operation: Operation;
  method: string;
  /** With the query. */
  path: string;
  userAgent: string | undefined;
  /** As they came, but `authorization` holds its scheme and a token or client id. */
  headers: Record<string, string>;
  /** As it came, but with `[redacted]` for secrets; empty when there was none. */
  body: string;
  /** `undefined` while, or if, no answer was given. */
  status: number | undefined;
}

const SECRET_FIELDS =
  "client_secret|password|token|subject_token|actor_token|refresh_token|access_token|assertion|client_assertion|code_verifier";
const inForm = new RegExp(`(^|[?&])(${SECRET_FIELDS}|code)=[^&]*`, "g");
const inJson = new RegExp(`("(?:${SECRET_FIELDS})"\\s*:\\s*")(?:[^"\\\\]|\\\\.)*`, "g");

/** Takes known secrets out of a text wherever they stand, and unknown ones by the name of their field. */
export function redact(text: string, secrets: readonly string[]): string {
  let redacted = text.replace(inForm, "$1$2=[redacted]").replace(inJson, "$1[redacted]");
  for (const secret of secrets) redacted = redacted.replaceAll(secret, "[redacted]");
  return redacted;
}
