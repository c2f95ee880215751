import type { Secret } from "./secret.ts";

/** An OAuth access token for the Databricks REST API. */
export interface WorkspaceToken {
  readonly token: Secret;
  /** How long it lives from the moment of the request, milliseconds; left out where it is not known. */
  readonly lifetimeMs?: number | undefined;
}

/** One HTTPS call as an identity makes it. */
export interface WorkspaceRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface WorkspaceResponse {
  readonly json: Readonly<Record<string, unknown>>;
  /** The server's clock by its `Date` header, milliseconds. */
  readonly serverNow: number | undefined;
}

/** What an identity may use while it fetches a token. */
export interface WorkspaceAuthContext {
  /** `https://…` without a path. */
  readonly workspaceHost: string;
  /**
   * Sends one request over verified TLS and answers its JSON, or throws the LakebaseError of its class.
   * @param purpose Says what failed, for example "OAuth token request".
   */
  request(purpose: string, request: WorkspaceRequest): Promise<WorkspaceResponse>;
  readonly signal: AbortSignal;
}

/** A way to get a workspace token. Made by `clientCredentials()`, `personalAccessToken()` and the like. */
export interface WorkspaceAuth {
  /** For messages, for example "client-credentials". */
  readonly kind: string;
  /** The Postgres user that this identity logs in as, where the identity itself tells it. */
  readonly user?: string | undefined;
  getToken(context: WorkspaceAuthContext): Promise<WorkspaceToken>;
}

export function isWorkspaceAuth(value: unknown): value is WorkspaceAuth {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as WorkspaceAuth).kind === "string" &&
    typeof (value as WorkspaceAuth).getToken === "function"
  );
}
