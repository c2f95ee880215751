import type { AuthorizationServer, Client, TokenEndpointResponse } from "oauth4webapi";
import { type FullClock, systemClock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { LakebaseError, type LakebaseErrorCode } from "../errors.ts";
import { unknownLifetimeMs } from "../expiry.ts";
import { type HttpCall, type HttpSettings, readJson, sendForAnswer, sendRequest } from "../http.ts";
import { createSecret, type Secret } from "../secret.ts";
import { authorize, getUserName, type WorkspaceCall } from "../workspace.ts";
import type { WorkspaceRequest } from "../workspace-auth.ts";
import { type OAuthDiscoveryOptions, type OAuthEndpoints, rememberEndpoints } from "./oauth-endpoints.ts";
import { isTokenText, jwtExpiry } from "./token-answer.ts";

/** What is known of an OAuth app and its workspace. */
export interface OAuthApp {
  readonly workspaceHost: string;
  readonly workspaceId: string | undefined;
  readonly clientId: string;
  readonly clientSecret: Secret | undefined;
  readonly scopes: readonly string[];
  readonly discovery: OAuthDiscoveryOptions;
  readonly clock: FullClock;
  readonly http: HttpSettings;
}

/** What belongs to one attempt to sign in, and must be in the hands of the same browser when it comes back. */
export interface KeptSignIn {
  /** Sent along and brought back by the browser: tells that the answer belongs to this attempt. */
  readonly state: string;
  /** Proves, with the code, that it was we who asked (RFC 7636). Secret: it is in no URL. */
  readonly codeVerifier: string;
  readonly redirectUri: string;
}

/** Tokens as the workspace handed them out. */
export interface GrantedTokens {
  readonly accessToken: Secret;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly refreshToken: Secret | undefined;
}

export interface OAuthClient {
  authorizationUrl(redirectUri: string): Promise<KeptSignIn & { readonly url: URL }>;
  redeemCode(callback: URLSearchParams, kept: KeptSignIn): Promise<GrantedTokens>;
  /** @throws LakebaseError `ERR_LAKEBASE_SIGN_IN_REQUIRED` when the refresh token is good no more. */
  refresh(refreshToken: Secret): Promise<GrantedTokens>;
  /** Whether the workspace has a place to tell it, and was told. */
  revoke(token: Secret): Promise<boolean>;
  whoSignedIn(accessToken: Secret): Promise<{
    /** `undefined` where the scopes do not let it be asked. */
    readonly user: string | undefined;
    /** Of a host that several workspaces share. */
    readonly workspaceId: string | undefined;
  }>;
}

/** Longer than a try of a token cache: an answer that nobody waits for any more holds the next refresh token. */
const timeoutMs = 30_000;

type Library = typeof import("oauth4webapi");

/** The calls of one OAuth app, each with a deadline of its own that no caller can cut short. */
export function createOAuthClient(app: OAuthApp): OAuthClient {
  const client: Client = { client_id: app.clientId };
  const findEndpoints = rememberEndpoints(app.discovery);

  const within = <T>(purpose: string, run: (tools: Tools) => Promise<T>): Promise<T> => {
    const expired = () =>
      new LakebaseError("ERR_LAKEBASE_TIMEOUT", `${purpose}: no answer within ${timeoutMs} ms`, { retryable: true });
    return withDeadline({ clock: app.clock, timeoutMs, expired }, async (signal) => {
      const call: HttpCall = { purpose, signal, holdProcess: true };
      const oauth = await import("oauth4webapi");
      const found = await findEndpoints({
        workspaceHost: app.workspaceHost,
        request: (what, request) => sendRequest(request, { ...call, purpose: what }, app.http),
      });
      const server: AuthorizationServer = {
        issuer: found.issuer ?? `${app.workspaceHost}/oidc`,
        authorization_endpoint: found.authorizationEndpoint,
        token_endpoint: found.tokenEndpoint,
        ...(found.revocationEndpoint !== undefined && { revocation_endpoint: found.revocationEndpoint }),
        authorization_response_iss_parameter_supported: found.namesIssuer,
      };
      // The library looks at the real clock; tests have another.
      client[oauth.clockSkew] = Math.round((app.clock.now() - systemClock.now()) / 1000);
      const options = { [oauth.customFetch]: guardedFetch(app.http, call), signal };
      return run({ oauth, server, endpoints: found, options, call });
    });
  };
  const clientAuth = ({ oauth }: Tools) =>
    app.clientSecret ? oauth.ClientSecretPost(app.clientSecret.reveal()) : oauth.None();
  const granted = (answer: TokenEndpointResponse, requestedAt: number): GrantedTokens => {
    if (
      !isTokenText(answer.access_token) ||
      !(answer.refresh_token === undefined || isTokenText(answer.refresh_token))
    ) {
      throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", "the OAuth token answer holds no usable token");
    }
    const told = answer.expires_in === undefined ? undefined : requestedAt + answer.expires_in * 1000;
    return {
      accessToken: createSecret(answer.access_token),
      issuedAt: requestedAt,
      expiresAt: told ?? jwtExpiry(answer.access_token) ?? requestedAt + unknownLifetimeMs,
      refreshToken: answer.refresh_token === undefined ? undefined : createSecret(answer.refresh_token),
    };
  };

  return {
    authorizationUrl: (redirectUri) =>
      within("OAuth discovery", async ({ oauth, endpoints }) => {
        const kept = {
          state: oauth.generateRandomState(),
          codeVerifier: oauth.generateRandomCodeVerifier(),
          redirectUri,
        };
        const url = new URL(endpoints.authorizationEndpoint);
        for (const [name, value] of Object.entries({
          response_type: "code",
          client_id: app.clientId,
          redirect_uri: redirectUri,
          scope: app.scopes.join(" "),
          state: kept.state,
          code_challenge: await oauth.calculatePKCECodeChallenge(kept.codeVerifier),
          code_challenge_method: "S256",
        })) {
          url.searchParams.set(name, value);
        }
        return { ...kept, url };
      }),

    redeemCode: (callback, kept) =>
      within("OAuth token request", async (tools) => {
        const { oauth, server, options } = tools;
        const parameters = readCallback(callback, kept, tools, client);
        const requestedAt = app.clock.now();
        const refused =
          "the authorization code was not accepted: it is good once and for a short time, with the redirect URI and the OAuth app that it was asked for. Let the person sign in again";
        return plainErrors("sign-in", tools, { code: "ERR_LAKEBASE_SIGN_IN_FAILED", message: refused }, async () => {
          const answer = await oauth.authorizationCodeGrantRequest(
            server,
            client,
            clientAuth(tools),
            parameters,
            kept.redirectUri,
            kept.codeVerifier,
            options,
          );
          return granted(await oauth.processAuthorizationCodeResponse(server, client, answer), requestedAt);
        });
      }),

    refresh: (refreshToken) =>
      within("OAuth token refresh", async (tools) => {
        const { oauth, server, options } = tools;
        const requestedAt = app.clock.now();
        const refused =
          "the session has ended: its refresh token was revoked, used before or is too old. Let the person sign in again";
        return plainErrors("refresh", tools, { code: "ERR_LAKEBASE_SIGN_IN_REQUIRED", message: refused }, async () => {
          const answer = await oauth.refreshTokenGrantRequest(
            server,
            client,
            clientAuth(tools),
            refreshToken.reveal(),
            options,
          );
          return granted(await oauth.processRefreshTokenResponse(server, client, answer), requestedAt);
        });
      }),

    revoke: (token) =>
      within("OAuth token revocation", async (tools) => {
        const { oauth, server, options } = tools;
        if (server.revocation_endpoint === undefined) return false;
        return plainErrors("sign-out", tools, undefined, async () => {
          const answer = await oauth.revocationRequest(server, client, clientAuth(tools), token.reveal(), options);
          await oauth.processRevocationResponse(answer);
          return true;
        });
      }),

    whoSignedIn: (accessToken) =>
      within("look-up of the current user", async ({ call, endpoints }) => {
        const workspaceId = app.workspaceId ?? endpoints.headers?.["x-databricks-workspace-id"];
        const bearer = { token: accessToken, headers: workspaceHeader(workspaceId) };
        const ask: WorkspaceCall = (purpose, { method, path }) =>
          sendRequest(
            authorize({ method, url: `${app.workspaceHost}${path}` }, bearer),
            { ...call, purpose },
            app.http,
          );
        try {
          return { user: await getUserName(ask), workspaceId };
        } catch (error) {
          // Scopes that open Postgres alone do not open this.
          const closed = ["ERR_LAKEBASE_PERMISSION_DENIED", "ERR_LAKEBASE_MISSING_SCOPE"];
          if (error instanceof LakebaseError && closed.includes(error.code)) return { user: undefined, workspaceId };
          throw error;
        }
      }),
  };
}

interface Tools {
  readonly oauth: Library;
  readonly server: AuthorizationServer;
  readonly endpoints: OAuthEndpoints;
  readonly options: object;
  readonly call: HttpCall;
}

/** What a host that several workspaces share is told with each call. */
export function workspaceHeader(workspaceId: string | undefined): Readonly<Record<string, string>> | undefined {
  return workspaceId === undefined ? undefined : { "x-databricks-workspace-id": workspaceId };
}

/**
 * The library's requests by our own HTTP: certificates, deadline, size and redirects are as everywhere. Refusals (400, 401)
 * are for the library to read; whatever else goes wrong is an error of ours already.
 */
function guardedFetch(http: HttpSettings, call: HttpCall) {
  return async (
    url: string,
    { method, headers, body }: { method: string; headers: Record<string, string>; body?: unknown },
  ): Promise<Response> => {
    const request: WorkspaceRequest = {
      method: method === "GET" ? "GET" : "POST",
      url,
      headers,
      ...(body == null ? {} : { body: String(body) }),
    };
    const answer = await sendForAnswer(request, call, http);
    const forLibrary = [200, 400, 401];
    if (!forLibrary.includes(answer.status)) readJson(answer, request, call, http);
    // An answer of 2xx that is not 200 promises nothing that we know.
    const status = forLibrary.includes(answer.status) ? answer.status : 502;
    return new Response(answer.body, { status, headers: { "content-type": "application/json" } });
  };
}

/** What the browser brought back: held against what was kept, then read. Nothing of it is ever quoted. */
function readCallback(callback: URLSearchParams, kept: KeptSignIn, { oauth, server }: Tools, client: Client) {
  const failed = (message: string) => new LakebaseError("ERR_LAKEBASE_SIGN_IN_FAILED", `sign-in failed: ${message}`);
  let parameters: URLSearchParams;
  try {
    parameters = oauth.validateAuthResponse(server, client, callback, kept.state);
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) throw refusedSignIn(error.error);
    if (callback.getAll("state").length !== 1 || callback.get("state") !== kept.state) {
      throw failed(
        "what the browser brought back does not belong to this attempt (state). A second tab, an old page or somebody else's link may have got in between: start again",
      );
    }
    const fromElsewhere = callback.has("iss") && callback.get("iss") !== server.issuer;
    throw failed(
      fromElsewhere
        ? "the answer comes from another authorization server than the one that was asked (iss)"
        : "the answer is not one of the authorization code flow",
    );
  }
  if (!parameters.get("code")) throw failed("the answer holds no authorization code");
  return parameters;
}

/** RFC 6749 section 4.1.2.1. */
function refusedSignIn(error: string): LakebaseError {
  const word = oauthWord(error);
  switch (word) {
    case "access_denied":
      return new LakebaseError(
        "ERR_LAKEBASE_SIGN_IN_DENIED",
        "sign-in was denied: the person, or a rule of the workspace, did not agree (access_denied)",
      );
    case "server_error":
    case "temporarily_unavailable":
      return new LakebaseError("ERR_LAKEBASE_UNAVAILABLE", `sign-in failed: the workspace cannot do it now (${word})`, {
        retryable: true,
      });
    default:
      return new LakebaseError(
        "ERR_LAKEBASE_SIGN_IN_FAILED",
        `sign-in failed: the workspace did not accept the request (${word}); check the OAuth app's client id, redirect URIs and scopes`,
      );
  }
}

/**
 * Errors of the library hold what was sent and answered, tokens included: they are told in our own words and not kept as a
 * cause.
 */
async function plainErrors<T>(
  what: string,
  { oauth }: Tools,
  badGrant: { readonly code: LakebaseErrorCode; readonly message: string } | undefined,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof LakebaseError) throw error;
    if (!(error instanceof oauth.ResponseBodyError)) {
      throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", `${what}: the answer is not one of OAuth`);
    }
    const word = oauthWord(error.error);
    if (word === "invalid_grant" && badGrant) {
      throw new LakebaseError(badGrant.code, `${badGrant.message} (invalid_grant)`);
    }
    if (word === "invalid_client" || word === "unauthorized_client") {
      throw new LakebaseError(
        "ERR_LAKEBASE_UNAUTHENTICATED",
        `${what}: the OAuth app was not accepted (${word}); check \`clientId\` and \`clientSecret\`, and that it may sign people in`,
      );
    }
    const retryable = word === "server_error" || word === "temporarily_unavailable";
    throw new LakebaseError(
      retryable ? "ERR_LAKEBASE_UNAVAILABLE" : "ERR_LAKEBASE_BAD_REQUEST",
      `${what}: the workspace did not accept it (${word})`,
      { retryable },
    );
  }
}

/** A word of the protocol, or none: what else stands in its place may be anything. */
function oauthWord(error: string): string {
  return /^[a-z_]{3,40}$/.test(error) ? error : "unknown error";
}
