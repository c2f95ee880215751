import type { Secret } from "./secret.ts";

/** An OAuth access token for the Databricks REST API. */
export interface WorkspaceToken {
  readonly token: Secret;
  /** How long it lives from the moment of the request, milliseconds; left out where it is not known. */
  readonly lifetimeMs?: number | undefined;
  /** It comes from a cache of the issuer's own: if it is refused, the issuer is asked once more, with `forced`. */
  readonly cached?: boolean | undefined;
  /** Sent with every call to the workspace, beside the bearer. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** One HTTPS call as an identity makes it. */
export interface WorkspaceRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the metadata service of a cloud only, which speaks plain HTTP on its own link (169.254.0.0/16) or on loopback. */
  readonly plainHttp?: true;
  /** Answers a redirect by its `location` instead of failing. It is never followed. */
  readonly redirect?: "answer";
  /**
   * The next step after a refusal, where it can be told better than for all: by the word of the server's answer ("" where
   * it has none) and its JSON, of which nothing may be quoted.
   */
  readonly advice?: (word: string, json: Readonly<Record<string, unknown>>) => string | undefined;
}

export interface WorkspaceResponse {
  readonly json: Readonly<Record<string, unknown>>;
  /** The server's clock by its `Date` header, milliseconds. */
  readonly serverNow: number | undefined;
  /** Where a redirect leads, when one was asked for. */
  readonly location?: string | undefined;
}

/** What an identity may use before there is a workspace to ask. */
export interface WorkspaceAuthSurroundings {
  readonly signal: AbortSignal;
  /**
   * A variable of the handle's environment (`env`, or else the process's), as it is now. For what an identity was told to
   * read there; which identity it is, and of whom, is settled without it.
   */
  variable(name: string): string | undefined;
  /** All of that environment, for a program that is run. */
  environment(): Readonly<Record<string, string | undefined>>;
  /** Wall clock, milliseconds. */
  now(): number;
  /** Tells the listeners of the handle, once, what works and should not stay as it is. Holds no secret. */
  warn(message: string): void;
}

/** What an identity may use while it fetches a token. */
export interface WorkspaceAuthContext extends WorkspaceAuthSurroundings {
  /** `https://…` without a path. */
  readonly workspaceHost: string;
  /**
   * Sends one request over verified TLS and answers its JSON, or throws the LakebaseError of its class.
   * @param purpose Says what failed, for example "OAuth token request".
   */
  request(purpose: string, request: WorkspaceRequest): Promise<WorkspaceResponse>;
  /** The workspace refused the last token: an issuer with a cache of its own must not answer from it. */
  readonly forced: boolean;
}

/** A way to get a workspace token. Made by `clientCredentials()`, `personalAccessToken()` and the like. */
export interface WorkspaceAuth {
  /** For messages, for example "client-credentials". */
  readonly kind: string;
  /** The Postgres user that this identity logs in as, where the identity itself tells it. */
  readonly user?: string | undefined;
  /** The workspace that the identity itself names (a CLI profile, an SDK client), where `workspaceHost` is not given. */
  workspaceHost?(surroundings: WorkspaceAuthSurroundings): string | undefined | Promise<string | undefined>;
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
