import { type PartnerApplicationName, parseApplicationName } from "../application-name.ts";
import { type Clock, completeClock } from "../clock.ts";
import { notWorkspace, workspaceOrigin } from "../config/identity-group.ts";
import { configError } from "../errors.ts";
import { unknownOptionProblems } from "../options.ts";
import type { Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyAuth } from "./lazy-auth.ts";
import { discoveryOptionNames, type OAuthDiscoveryOptions } from "./oauth-endpoints.ts";
import { requireSecret } from "./required-secret.ts";
import type { UserSessionCalls } from "./user-session-flow.ts";
import type { TokenStore } from "./user-session-store.ts";

/** Options of {@link userSession}. Nothing of it is read from the environment. */
export interface UserSessionOptions extends OAuthDiscoveryOptions {
  /** `https://…` of the workspace that people sign in to. */
  workspaceHost: string;
  /** The OAuth app's client id. `"databricks-cli"` is a public one that every workspace has, for loopback only. */
  clientId: string;
  /** The OAuth app's secret, where it is a confidential one. Left out (not `undefined`): a public client. */
  clientSecret?: string | Secret;
  /** Where the workspace sends the browser back to, exactly as the OAuth app has it registered. */
  redirectUri?: string | undefined;
  /** Default `["all-apis", "offline_access"]`. Without `offline_access` a session ends with its first token. */
  scopes?: readonly string[] | undefined;
  /** Keeps the tokens of everybody who is signed in. What it holds is secret. */
  store: TokenStore;
  /** Under which name the store keeps this person's tokens: your own session id, unguessable. */
  key: string;
  /** Sent as `X-Databricks-Workspace-Id`, for a host that several workspaces share. */
  workspaceId?: string | undefined;
  /** PEM certificates trusted for the workspace, beside Node's own roots. */
  workspaceCa?: string | undefined;
  /** Leads the `User-Agent` of the session's calls, as that of `createLakebase` does. */
  applicationName?: string | PartnerApplicationName | undefined;
  /** Used in place of `node:https`, to go through a proxy for example. Its TLS is your responsibility. */
  fetch?: typeof fetch | undefined;
  /** For tests. */
  clock?: Clock | undefined;
}

/** Somebody who signs in with a browser; usable as `auth`. Made by {@link userSession}. */
export interface UserSession extends WorkspaceAuth, UserSessionCalls {}

const optionKeys: readonly string[] = [
  ...discoveryOptionNames,
  "workspaceHost",
  "clientId",
  "clientSecret",
  "redirectUri",
  "scopes",
  "store",
  "key",
  "workspaceId",
  "workspaceCa",
  "applicationName",
  "fetch",
  "clock",
] satisfies (keyof UserSessionOptions)[];

/**
 * A person who signs in with a browser (U2M): authorization code with PKCE, and refresh tokens that are replaced with every
 * use and kept in your own store. Touches no network until it is used, and costs next to nothing: make one for each request,
 * or keep one.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when options are missing or malformed.
 * @example
 * ```ts
 * import { createLakebase, type TokenStore, userSession } from "@x/lakebase-core";
 *
 * export function connectAs(sessionId: string, store: TokenStore, clientSecret: string) {
 *   const session = userSession({
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     clientId: "9f2c1d3e-0000-4000-8000-000000000000",
 *     clientSecret,
 *     redirectUri: "https://shop.example/callback",
 *     store,
 *     key: sessionId,
 *   });
 *   return createLakebase({ endpoint: "projects/shop/branches/production/endpoints/primary", auth: session });
 * }
 * ```
 */
export function userSession(options: UserSessionOptions): UserSession {
  const problems = unknownOptionProblems(options, optionKeys);
  const { redirectUri, scopes = ["all-apis", "offline_access"], store, key, fetch, clock } = Object(options);
  const check = (fine: unknown, option: string, message: string) => {
    if (!fine) problems.push({ option, message });
  };
  const workspaceHost = workspaceOrigin(String(options?.workspaceHost ?? ""));
  check(workspaceHost, "workspaceHost", notWorkspace);
  check(
    redirectUri === undefined || isRedirect(redirectUri),
    "redirectUri",
    "must be https://…, or http:// on a loopback address",
  );
  check(
    Array.isArray(scopes) && scopes.length > 0 && scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)),
    "scopes",
    "must be a list of scopes",
  );
  check(
    [store?.get, store?.set, store?.delete].every((method) => typeof method === "function"),
    "store",
    "must have get, set and delete",
  );
  check(typeof key === "string" && key !== "", "key", "must be your session's id");
  const ca = options?.workspaceCa;
  check(!(ca && fetch), "workspaceCa", "has no effect on `fetch`; give that function the certificates");
  check(ca === undefined || String(ca).includes("-----BEGIN "), "workspaceCa", "must be PEM text");
  const name = options?.applicationName === undefined ? undefined : parseApplicationName(options.applicationName);
  if (name && "problem" in name) problems.push({ option: "applicationName", message: name.problem });
  if (problems.length > 0 || !workspaceHost) {
    throw configError(problems.map((problem) => ({ ...problem, option: `auth: userSession.${problem.option}` })));
  }
  const clientId = requireSecret(options.clientId, "auth: userSession.clientId").reveal();
  const clientSecret =
    "clientSecret" in options ? requireSecret(options.clientSecret, "auth: userSession.clientSecret") : undefined;

  const settings = {
    ...{ workspaceHost, clientId, clientSecret, redirectUri, scopes, store, key, fetch },
    workspaceId: options.workspaceId,
    discovery: options,
    extraCa: ca === undefined ? undefined : [ca],
    applicationName: name && "value" in name ? name.value : undefined,
    clock: completeClock(clock),
  };
  let calls: Promise<UserSessionCalls & Pick<WorkspaceAuth, "getToken">> | undefined;
  const load = () => {
    calls ??= import("./user-session-flow.ts").then((module) => module.createUserSession(settings));
    return calls;
  };
  return {
    ...lazyAuth("user-session", load),
    workspaceHost: () => workspaceHost,
    createAuthorizationUrl: async (...args) => (await load()).createAuthorizationUrl(...args),
    exchangeAuthorizationCode: async (...args) => (await load()).exchangeAuthorizationCode(...args),
    signInOnLoopback: async (...args) => (await load()).signInOnLoopback(...args),
    accessToken: async () => (await load()).accessToken(),
    signOut: async () => (await load()).signOut(),
  };
}

/** RFC 8252 section 7.3: what listens on the machine itself needs no TLS. */
function isRedirect(uri: unknown): boolean {
  const url = typeof uri === "string" && URL.canParse(uri) ? new URL(uri) : undefined;
  return (
    url !== undefined &&
    !url.hash &&
    (url.protocol === "https:" ||
      (url.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname)))
  );
}
