import { LakebaseError } from "./errors.ts";
import { lifetimeFrom } from "./expiry.ts";
import { isTokenText, jwtExpiry } from "./identity/token-answer.ts";
import type { Claim } from "./options.ts";
import { createSecret, type Secret } from "./secret.ts";
import type { NamedTarget } from "./target.ts";
import type { WorkspaceRequest, WorkspaceResponse, WorkspaceToken } from "./workspace-auth.ts";

/** One REST call to the workspace: the address is completed, the bearer is put on. */
export type WorkspaceCall = (
  purpose: string,
  call: {
    readonly method: "GET" | "POST";
    readonly path: string;
    readonly body?: unknown;
    /** What is answered ends with the bearer, so a bearer that is half used up is replaced first where it can be. */
    readonly young?: boolean;
  },
) => Promise<WorkspaceResponse & { readonly bearerEndsAt?: number | undefined }>;

/** A credential as the workspace handed it out. */
export interface MintedCredential {
  readonly value: Secret;
  /** From the moment of the request. */
  readonly lifetimeMs: number;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** Puts a workspace token on a request. */
export function authorize(request: WorkspaceRequest, { token, headers }: WorkspaceToken): WorkspaceRequest {
  return { ...request, headers: { ...headers, ...request.headers, authorization: `Bearer ${token.reveal()}` } };
}

/**
 * Mints a credential. The two products have different routes, and name the expiry differently.
 *
 * @throws LakebaseError `ERR_LAKEBASE_BAD_RESPONSE` when the answer holds no usable token.
 */
export async function mintCredential(
  call: WorkspaceCall,
  target: NamedTarget,
  options: { readonly ttlSeconds: number | undefined; readonly claims: readonly Claim[]; readonly requestId: string },
  now: () => number,
): Promise<MintedCredential> {
  const claims = options.claims.map(({ permissionSet, tables }) => ({
    permission_set: permissionSet,
    resources: tables.map((table) => ({ table_name: table })),
  }));
  const common = claims.length > 0 ? { claims } : {};
  const requestedAt = now();
  const route =
    target.kind === "endpoint"
      ? {
          path: "/api/2.0/postgres/credentials",
          body: {
            endpoint: target.name,
            ...(options.ttlSeconds === undefined ? {} : { ttl: `${options.ttlSeconds}s` }),
            ...common,
          },
        }
      : {
          path: "/api/2.0/database/credentials",
          body: { request_id: options.requestId, instance_names: [target.name], ...common },
        };
  const answer = await call("credential request", { method: "POST", young: true, ...route });
  const { json, serverNow, bearerEndsAt = Number.POSITIVE_INFINITY } = answer;
  if (!isTokenText(json.token)) {
    throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", "credential request: the answer holds no usable token");
  }
  const told = json.expire_time ?? json.expiration_time;
  const stated = typeof told === "string" ? Date.parse(told) : Number.NaN;
  const expiresAt = Number.isNaN(stated) ? jwtExpiry(json.token) : stated;
  // A credential is good for as long as what it was got with.
  const lifetimeMs = Math.min(lifetimeFrom(expiresAt, requestedAt, serverNow), bearerEndsAt - requestedAt);
  const usable = expiresAt !== undefined && Number.isFinite(expiresAt) && expiresAt - requestedAt === lifetimeMs;
  return { value: createSecret(json.token), lifetimeMs, expiresAt: usable ? expiresAt : requestedAt + lifetimeMs };
}

/** The user name that the workspace knows the identity by: an e-mail, or a service principal's application id. */
export async function getUserName(call: WorkspaceCall): Promise<string> {
  const { json } = await call("look-up of the current user", { method: "GET", path: "/api/2.0/preview/scim/v2/Me" });
  const userName = text(json.userName);
  if (userName === undefined || /[\0\r\n]/.test(userName)) {
    throw new LakebaseError(
      "ERR_LAKEBASE_BAD_RESPONSE",
      "look-up of the current user: the answer holds no user name; give `user`",
    );
  }
  return userName;
}

/** A text that is not empty. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
