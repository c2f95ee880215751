import { type PartnerApplicationName, parseApplicationName } from "../application-name.ts";
import { type Clock, completeClock, type FullClock } from "../clock.ts";
import { notWorkspace, workspaceOrigin } from "../config/identity-group.ts";
import { configError } from "../errors.ts";
import { unknownOptionProblems } from "../options.ts";
import { createSecret, isSecret, type Secret } from "../secret.ts";
import type { OAuthDiscoveryOptions } from "./oauth-endpoints.ts";
import { isScopeList } from "./scopes.ts";
import type { TokenStore } from "./user-session-store.ts";

/** Options of `userSession()`. Nothing of it is read from the environment. */
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

/** {@link UserSessionOptions}, checked and complete. */
export interface UserSessionSettings {
  readonly workspaceHost: string;
  readonly workspaceId: string | undefined;
  readonly clientId: string;
  readonly clientSecret: Secret | undefined;
  readonly redirectUri: string | undefined;
  readonly scopes: readonly string[];
  readonly discovery: OAuthDiscoveryOptions;
  readonly store: TokenStore;
  readonly key: string;
  readonly extraCa: readonly string[] | undefined;
  readonly applicationName: string | undefined;
  readonly fetch: typeof fetch | undefined;
  readonly clock: FullClock;
}

const optionKeys: readonly string[] = [
  "workspaceHost",
  "clientId",
  "clientSecret",
  "redirectUri",
  "scopes",
  "store",
  "key",
  "workspaceId",
  "discoveryUrl",
  "accountId",
  "workspaceCa",
  "applicationName",
  "fetch",
  "clock",
] satisfies (keyof UserSessionOptions)[];

/**
 * Checks what a session cannot be used without; that its secrets are there was checked when it was made.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` with every problem.
 */
export function readUserSessionOptions(options: UserSessionOptions): UserSessionSettings {
  const problems = unknownOptionProblems(options, optionKeys);
  const check = (fine: unknown, option: keyof UserSessionOptions, message: string) => {
    if (!fine) problems.push({ option, message });
  };
  const { redirectUri, scopes = ["all-apis", "offline_access"], workspaceCa, applicationName, fetch } = options;
  check(
    redirectUri === undefined || isRedirect(redirectUri),
    "redirectUri",
    "must be https://…, or http:// on a loopback address, without a fragment",
  );
  check(isScopeList(scopes), "scopes", "must be a list of scopes");
  check(!(workspaceCa && fetch), "workspaceCa", "has no effect on `fetch`; give that function the certificates");
  check(
    workspaceCa === undefined || String(workspaceCa).includes("-----BEGIN "),
    "workspaceCa",
    "must be PEM text (-----BEGIN CERTIFICATE-----), not a path",
  );
  const workspaceHost = workspaceOrigin(String(options.workspaceHost ?? ""));
  const { store } = options;
  const calls: Partial<TokenStore> = Object(store);
  check(workspaceHost, "workspaceHost", notWorkspace);
  check(calls.get && calls.set && calls.delete, "store", "must have get, set and delete");
  const name = applicationName === undefined ? { value: undefined } : parseApplicationName(applicationName);
  if ("problem" in name) problems.push({ option: "applicationName", message: name.problem });
  if (problems.length > 0 || "problem" in name || !workspaceHost) {
    throw configError(problems.map(({ option, message }) => ({ option: `auth: userSession.${option}`, message })));
  }
  const { clientId, clientSecret, key, workspaceId, clock } = options;
  return {
    ...{ workspaceHost, clientId: clientId.trim(), redirectUri, scopes, store, key, workspaceId, fetch },
    clientSecret:
      isSecret(clientSecret) || clientSecret === undefined ? clientSecret : createSecret(clientSecret.trim()),
    discovery: options,
    extraCa: workspaceCa === undefined ? undefined : [workspaceCa],
    applicationName: name.value,
    clock: completeClock(clock),
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
