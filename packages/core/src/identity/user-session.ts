import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyAuth } from "./lazy-auth.ts";
import { requireSecret } from "./required.ts";
import type { UserSessionCalls } from "./user-session-flow.ts";
import type { UserSessionOptions } from "./user-session-options.ts";

/** Somebody who signs in with a browser; usable as `auth`. Made by {@link userSession}. */
export interface UserSession extends WorkspaceAuth, UserSessionCalls {}

/**
 * A person who signs in with a browser (U2M): authorization code with PKCE, and refresh tokens that are replaced with every
 * use and kept in your own store. Touches no network until it is used, and costs next to nothing: make one for each request,
 * or keep one.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when id, secret or key is missing; by its first use, when another option is
 * missing or malformed.
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
  for (const name of ["clientId", "key", "clientSecret"] as const) {
    // Left out, there is none; but what is given and undefined was meant to be one.
    if (name !== "clientSecret" || name in options) requireSecret(options?.[name], `auth: userSession.${name}`);
  }
  const session = lazyAuth("userSession", options);
  const call = <Name extends keyof UserSessionCalls>(name: Name) =>
    (async (...args: unknown[]) =>
      ((await session.flow())[name] as (...args: unknown[]) => unknown)(...args)) as unknown as UserSessionCalls[Name];
  return {
    ...session,
    createAuthorizationUrl: call("createAuthorizationUrl"),
    exchangeAuthorizationCode: call("exchangeAuthorizationCode"),
    signInOnLoopback: call("signInOnLoopback"),
    accessToken: call("accessToken"),
    signOut: call("signOut"),
  };
}
