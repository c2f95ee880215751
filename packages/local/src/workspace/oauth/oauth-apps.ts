import { randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { OAuthError } from "../api-error.ts";
import { knownScopes } from "./scopes.ts";

/** A custom OAuth app as it is registered. */
export interface OAuthAppOptions {
  /** What the consent page calls it. */
  name: string;
  /**
   * Where people are sent back to: `https://…`, or `http://` on `localhost`, `127.0.0.1` or `[::1]`, for which any port will
   * do (RFC 8252, section 7.3). Everything else of a redirect has to be the same to the letter.
   */
  redirectUris: readonly string[];
  /** Whether it has a secret; default false: a public client, as a command line or a page is. */
  confidential?: boolean;
  /** What it may ask for; default: every scope that is known. */
  scopes?: readonly string[];
  /** Whether a refresh token is good once and answered with the next; default true. Otherwise the first stays good. */
  rotatesRefreshTokens?: boolean;
}

/** A registered app. */
export interface OAuthApp {
  readonly clientId: string;
  /** Of a confidential client. */
  readonly clientSecret: string | undefined;
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
  readonly rotatesRefreshTokens: boolean;
}

export interface OAuthApps {
  /** @throws TypeError when a redirect URI or a scope cannot be */
  register(options: OAuthAppOptions): OAuthApp;
  find(clientId: string | null): OAuthApp | undefined;
  /**
   * The app that a token request comes from: a public client by its id, a confidential one by its secret too.
   *
   * @throws OAuthError `invalid_client`
   */
  authenticate(credentials: { clientId: string; clientSecret: string | undefined }): OAuthApp;
  secrets(): string[];
}

export function createOAuthApps(): OAuthApps {
  const apps = new Map<string, OAuthApp>();
  // Every workspace has it: https://docs.databricks.com/aws/en/dev-tools/auth/oauth-u2m
  apps.set("databricks-cli", {
    clientId: "databricks-cli",
    clientSecret: undefined,
    name: "Databricks CLI",
    redirectUris: ["http://localhost:8020"],
    scopes: knownScopes,
    rotatesRefreshTokens: true,
  });
  return {
    register({ name, redirectUris, confidential = false, scopes = knownScopes, rotatesRefreshTokens = true }) {
      for (const uri of redirectUris) requireRedirectUri(uri);
      const unknown = scopes.find((scope) => !knownScopes.includes(scope));
      if (unknown !== undefined) throw new TypeError(`there is no scope "${unknown}"`);
      const clientSecret = confidential ? `dose${randomBytes(16).toString("hex")}` : undefined;
      const app = {
        clientId: randomUUID(),
        clientSecret,
        name,
        redirectUris: [...redirectUris],
        scopes: [...scopes],
        rotatesRefreshTokens,
      };
      apps.set(app.clientId, app);
      return app;
    },
    find: (clientId) => (clientId === null ? undefined : apps.get(clientId)),
    authenticate({ clientId, clientSecret }) {
      const app = apps.get(clientId);
      if (!app || !hasSecret(app, clientSecret)) {
        throw new OAuthError(401, "invalid_client", "Client authentication failed");
      }
      return app;
    },
    secrets: () => [...apps.values()].flatMap(({ clientSecret }) => clientSecret ?? []),
  };
}

function hasSecret({ clientSecret }: OAuthApp, given: string | undefined): boolean {
  if (clientSecret === undefined) return given === undefined || given === "";
  const expected = Buffer.from(clientSecret);
  const secret = Buffer.from(given ?? "");
  return expected.length === secret.length && timingSafeEqual(expected, secret);
}

const loopbacks = ["localhost", "127.0.0.1", "[::1]"];

function requireRedirectUri(uri: string): void {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  const safe = url?.protocol === "https:" || (url !== undefined && isLoopback(url));
  if (!url || !safe || uri.includes("#")) {
    throw new TypeError(
      `a redirect URI is https, or http on ${loopbacks.join(", ")}, without a fragment; not "${uri}"`,
    );
  }
}

function isLoopback(url: URL): boolean {
  return url.protocol === "http:" && loopbacks.includes(url.hostname);
}

/** Whether somebody may be sent there: to the letter, or on loopback but for the port. */
export function allowsRedirect({ redirectUris }: OAuthApp, given: string): boolean {
  if (redirectUris.includes(given)) return true;
  const withoutPort = (uri: string) => {
    const url = new URL(uri);
    url.port = "";
    return url.href;
  };
  return (
    URL.canParse(given) &&
    redirectUris.some((uri) => isLoopback(new URL(uri)) && withoutPort(uri) === withoutPort(given))
  );
}
