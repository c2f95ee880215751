import type { PartnerApplicationName } from "./application-name.ts";
import type { Clock } from "./clock.ts";
import type { LakebaseEvent } from "./events.ts";
import type { WorkspaceAuth } from "./workspace-auth.ts";

/** What may differ between pools that share one handle. */
export interface PoolScope {
  /** Database name. Environment: `PGDATABASE`. Default `"databricks_postgres"`. */
  database?: string | undefined;
  /**
   * Name in the startup packet, 1 to 63 bytes of printable ASCII, by which Databricks knows your product. That of the handle
   * also leads the `User-Agent` of every workspace call. Environment: `PGAPPNAME`. Default: `x-lakebase-<adapter>/<version>`.
   */
  applicationName?: string | PartnerApplicationName | undefined;
  /** `"read-only"` goes to the target's read-only host, where it has one. Default `"read-write"`. */
  access?: "read-write" | "read-only" | undefined;
  /**
   * One bound for the whole of a login: token, dialling, TLS, authentication, a waking compute and the one replay with a
   * new token. Milliseconds, default 30 000.
   */
  connectTimeoutMs?: number | undefined;
}

/** A Unity Catalog grant that a credential is narrowed to. */
export interface Claim {
  permissionSet: "READ_ONLY";
  /** Full names, `catalog.schema.table`. */
  tables: string[];
}

/** Options of `createLakebase`. Each falls back to the environment, by group: see the guide. */
export interface LakebaseOptions extends PoolScope {
  /** Resource name of an Autoscaling endpoint, `projects/…/branches/…/endpoints/…`. Environment: `LAKEBASE_ENDPOINT`. */
  endpoint?: string | undefined;
  /**
   * Resource name of a branch, `projects/…/branches/…`, or its id beside `project`: its read-write endpoint is asked of the
   * workspace, once. Environment: `LAKEBASE_BRANCH`.
   */
  branch?: string | undefined;
  /** A project, `projects/…` or its id: its default branch is asked of the workspace, once. Environment: `LAKEBASE_PROJECT`. */
  project?: string | undefined;
  /** Name of a Provisioned instance. Environment: `LAKEBASE_INSTANCE_NAME`. */
  instance?: string | undefined;
  /**
   * Host name. Left out: asked of the workspace, once. Alone: what tokens are to be minted for is asked of the workspace,
   * once. Environment: `PGHOST`.
   */
  host?: string | undefined;
  /** Address to dial instead of resolving `host`; SNI and certificate check stay with `host`. Environment: `PGHOSTADDR`. */
  hostAddress?: string | undefined;
  /** Port, default 5432. Environment: `PGPORT`. */
  port?: number | undefined;
  /** `postgresql://…`. Its parts count as explicit options; a clash with one is an error. `DATABASE_URL` is never read. */
  connectionString?: string | undefined;

  /** How to get a workspace token. Default: what the environment names; `explainAuth()` tells which that is, and why. */
  auth?: WorkspaceAuth | undefined;
  /** Postgres role: an e-mail or a service principal's client id. Left out: asked of the workspace, once. Environment: `PGUSER`. */
  user?: string | undefined;
  /** Password of a native Postgres role; OAuth is off then. */
  password?: string | (() => string | Promise<string>) | undefined;
  /** `https://…` of the workspace. Environment: `DATABRICKS_HOST`. */
  workspaceHost?: string | undefined;
  /** Sent as `X-Databricks-Workspace-Id`, for a host that several workspaces share. Environment: `DATABRICKS_WORKSPACE_ID`. */
  workspaceId?: string | undefined;
  /** PEM certificates trusted for the workspace API, beside Node's own roots. Environment: `LAKEBASE_WORKSPACE_CA` (a path). */
  workspaceCa?: string | undefined;

  /** TLS to Postgres, always verified. `ca`: PEM certificates, in place of Node's own roots; environment: `PGSSLROOTCERT` (a path). */
  ssl?: { ca?: string | string[] | undefined; minVersion?: "TLSv1.2" | "TLSv1.3" | undefined } | undefined;
  /** Exact host names beyond Lakebase's own that may receive a token. Environment: `LAKEBASE_TRUSTED_HOSTS`, by commas. */
  trustedHosts?: string[] | undefined;
  /** `ttlSeconds`: 300 to 3600, Autoscaling only. `claims`: narrow the credential to tables. */
  credential?: { ttlSeconds?: number | undefined; claims?: Claim[] | undefined } | undefined;
  /** Told what happens. An exception in it is ignored. */
  onEvent?: ((event: LakebaseEvent) => void) | undefined;
  /** The environment to read. Default `process.env`; `{}` means none, and is required where options come from end users. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Used for workspace calls in place of `node:https`, to go through a proxy for example. Its TLS is your responsibility. */
  fetch?: typeof fetch | undefined;
  /** For tests. */
  clock?: Clock | undefined;
}

const scopeKeys = ["database", "applicationName", "access", "connectTimeoutMs"] as const satisfies (keyof PoolScope)[];
/** Options that name the target: any of them shuts out the whole group's environment. */
export const targetKeys = [
  "endpoint",
  "branch",
  "project",
  "instance",
  "host",
  "hostAddress",
  "port",
  "connectionString",
] as const;
/** Options that name the identity: any of them shuts out the whole group's environment. */
export const identityKeys = ["auth", "user", "password", "workspaceHost", "workspaceId", "workspaceCa"] as const;
const otherKeys = ["ssl", "trustedHosts", "credential", "onEvent", "env", "fetch", "clock"] as const;

/** Names of the options that a pool on an existing handle may have. */
export const poolScopeKeys: readonly string[] = scopeKeys;
/** Names of all options of `createLakebase`; for authors of adapters. */
export const lakebaseOptionKeys: readonly string[] = [...scopeKeys, ...targetKeys, ...identityKeys, ...otherKeys];

/** Options are checked at run time too: much of their use is JavaScript. */
export function unknownOptionProblems(
  options: object,
  known: readonly string[],
  hints: Readonly<Record<string, string>> = {},
  otherwise = "is not an option",
) {
  if (Object(options) !== options || Array.isArray(options)) {
    return [{ option: "options", message: "must be an object" }];
  }
  return Object.keys(options)
    .filter((key) => !known.includes(key) && (options as Record<string, unknown>)[key] !== undefined)
    .map((key) => ({ option: key, message: (Object.hasOwn(hints, key) && hints[key]) || otherwise }));
}

/** Why an option that weakens TLS is refused. */
export const alwaysVerified = "TLS is always verified";
