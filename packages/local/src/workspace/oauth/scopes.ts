import { OAuthError } from "../api-error.ts";

/** What each scope lets an app do, in the words of the consent page. */
export const scopeMeanings: Readonly<Record<string, string>> = {
  "all-apis": "Use every API of this workspace in your name",
  postgres: "Log in to Lakebase databases in your name",
  database: "Log in to Lakebase instances in your name",
  sql: "Run queries in SQL warehouses in your name",
  "iam.current-user:read": "Read your user name",
  "iam.access-control:read": "Read who may use what",
  openid: "Learn who you are",
  email: "Read your e-mail address",
  profile: "Read your name",
  offline_access: "Keep this access while you are away",
};

/** Every scope that the local Lakebase knows. */
export const knownScopes: readonly string[] = Object.keys(scopeMeanings);

/** Those that only mean something where a person signs in. */
const personalScopes = ["openid", "email", "profile", "offline_access"];

/** What a machine may ask for. */
export const machineScopes: readonly string[] = knownScopes.filter((scope) => !personalScopes.includes(scope));

/**
 * The scopes of a request, each once.
 *
 * @throws OAuthError `invalid_scope` when there is none, or one that the caller may not have
 */
export function requestedScopes(scope: string | null, allowed: readonly string[]): string[] {
  const asked = [...new Set((scope ?? "").split(" ").filter(Boolean))];
  if (asked.length === 0) throw new OAuthError(400, "invalid_scope", "scope is required, for example all-apis");
  const refused = asked.filter((name) => !allowed.includes(name));
  if (refused.length > 0) {
    throw new OAuthError(400, "invalid_scope", `scopes not allowed here: ${refused.join(" ")}`);
  }
  return asked;
}

/** Whether a token with these scopes opens an API that wants one of those. */
export function covers(granted: readonly string[], wanted: readonly string[]): boolean {
  return granted.includes("all-apis") || wanted.some((scope) => granted.includes(scope));
}
