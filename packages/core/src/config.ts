import { type PartnerApplicationName, parseApplicationName } from "./application-name.ts";
import type { Clock } from "./clock.ts";
import { type ConnectionStringFields, parseConnectionString, sslModeProblem } from "./connection-string.ts";
import { type ConfigProblem, configError, type LakebaseErrorCode } from "./errors.ts";
import type { LakebaseEvent } from "./events.ts";
import { hostProblem, normalizeHost, parseLakebaseHost } from "./host.ts";
import { createSecret, type Secret } from "./secret.ts";
import { endpointForm, parseEndpoint, parseInstance, type Target } from "./target.ts";
import { isWorkspaceAuth, type WorkspaceAuth } from "./workspace-auth.ts";

/** What may differ between pools that share one handle. */
export interface PoolScope {
  /** Database name. Environment: `PGDATABASE`. Default `"databricks_postgres"`. */
  database?: string | undefined;
  /**
   * Name in the startup packet, 1 to 63 bytes of printable ASCII, by which Databricks knows your product. Also leads the
   * `User-Agent` of every workspace call. Environment: `PGAPPNAME`. Default: `x-lakebase-<adapter>/<version>`.
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
  /** Name of a Provisioned instance. Environment: `LAKEBASE_INSTANCE_NAME`. */
  instance?: string | undefined;
  /** Host name. Left out: asked of the workspace, once. Environment: `PGHOST`. */
  host?: string | undefined;
  /** Address to dial instead of resolving `host`; SNI and certificate check stay with `host`. Environment: `PGHOSTADDR`. */
  hostAddress?: string | undefined;
  /** Port, default 5432. Environment: `PGPORT`. */
  port?: number | undefined;
  /** `postgresql://…`. Its parts count as explicit options; a clash with one is an error. `DATABASE_URL` is never read. */
  connectionString?: string | undefined;

  /** How to get a workspace token. Default: from the environment (`DATABRICKS_CLIENT_ID` and `_SECRET`, or `DATABRICKS_TOKEN`). */
  auth?: WorkspaceAuth | undefined;
  /** Postgres role: an e-mail or a service principal's client id. Left out: asked of the workspace, once. Environment: `PGUSER`. */
  user?: string | undefined;
  /** Password of a native Postgres role; OAuth is off then. */
  password?: string | (() => string | Promise<string>) | undefined;
  /** `https://…` of the workspace. Environment: `DATABRICKS_HOST`. */
  workspaceHost?: string | undefined;
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

/** {@link PoolScope} with its defaults. */
export interface ResolvedScope {
  readonly database: string;
  /** Only what was chosen by option or environment: defaults differ by adapter. */
  readonly applicationName: string | undefined;
  readonly access: "read-write" | "read-only";
  readonly connectTimeoutMs: number;
}

/** Who logs in. */
export type Identity =
  | {
      readonly kind: "oauth";
      readonly auth: WorkspaceAuth | undefined;
      /** What the environment says about identities, where it may be read; an identity is made of it when first used. */
      readonly environment: Readonly<Record<string, Secret>> | undefined;
      readonly user: string | undefined;
    }
  | { readonly kind: "native"; readonly user: string; readonly password: Secret | (() => string | Promise<string>) };

/** A certificate bundle: its text, or where to read it. */
export type CertificateSource = { readonly pem: readonly string[] } | { readonly file: string };

/** Everything decided. Frozen; nothing after it reads options or the environment. */
export interface ResolvedConfig {
  readonly target: Target | undefined;
  readonly host: string | undefined;
  readonly hostAddress: string | undefined;
  readonly port: number;
  readonly identity: Identity;
  readonly workspaceHost: string | undefined;
  readonly workspaceCa: CertificateSource | undefined;
  readonly sslCa: CertificateSource | undefined;
  readonly sslMinVersion: "TLSv1.2" | "TLSv1.3";
  readonly trustedHosts: ReadonlySet<string>;
  readonly credential: { readonly ttlSeconds: number | undefined; readonly claims: readonly Claim[] };
  readonly scope: ResolvedScope;
  /** libpq's `PGOPTIONS`, for the startup packet. */
  readonly startupOptions: string | undefined;
  readonly onEvent: ((event: LakebaseEvent) => void) | undefined;
  readonly fetch: typeof fetch | undefined;
  readonly clock: Clock | undefined;
  /** What is not there yet: reported at the first login, so that a module can be imported where there is no environment. */
  readonly missing: readonly ConfigProblem[];
  /** Settings that were found and are not used. */
  readonly ignored: readonly { readonly setting: string; readonly reason: string }[];
}

const scopeKeys = ["database", "applicationName", "access", "connectTimeoutMs"] as const satisfies (keyof PoolScope)[];
const targetKeys = ["endpoint", "instance", "host", "hostAddress", "port", "connectionString"] as const;
const identityKeys = ["auth", "user", "password", "workspaceHost", "workspaceCa"] as const;
const otherKeys = ["ssl", "trustedHosts", "credential", "onEvent", "env", "fetch", "clock"] as const;

/** Names of the options that a pool on an existing handle may have. */
export const poolScopeKeys: readonly string[] = scopeKeys;
/** Names of all options of `createLakebase`. */
export const lakebaseOptionKeys: readonly string[] = [...scopeKeys, ...targetKeys, ...identityKeys, ...otherKeys];

/**
 * The names under which platforms and templates hand over an endpoint; the first that is set counts.
 * `ENDPOINT_NAME` is too common a name to be believed unless its value is a Lakebase resource name.
 */
const endpointVariables: readonly { readonly name: string; readonly only?: RegExp }[] = [
  { name: "LAKEBASE_ENDPOINT" },
  { name: "LAKEBASE_AUTOSCALING_ENDPOINT" },
  { name: "PGENDPOINT" },
  { name: "ENDPOINT_NAME", only: /^projects\// },
];
/** What `identity/environment.ts` chooses an identity by. */
const identityVariables = [
  "DATABRICKS_AUTH_TYPE",
  "DATABRICKS_CLIENT_ID",
  "DATABRICKS_CLIENT_SECRET",
  "DATABRICKS_TOKEN",
] as const;
const instanceVariable = "LAKEBASE_INSTANCE_NAME";

/** A token or PAT where a password of a native role belongs. */
const patPattern = /^dapi[0-9a-f]/i;
const jwtPattern = /^ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

const maxTimerMs = 2 ** 31 - 1;

const clash = "is also in `connectionString`, with another value; give it once";
/** Why an option that weakens TLS is refused. */
export const alwaysVerified = "TLS is always on and always verified";
const notPem = "must be PEM text (-----BEGIN CERTIFICATE-----); to name a file use";

class Problems {
  readonly found: (ConfigProblem & { readonly code: LakebaseErrorCode })[] = [];

  add(option: string, message: string, variable?: string, code: LakebaseErrorCode = "ERR_LAKEBASE_CONFIG"): void {
    this.found.push({ option, message, ...(variable === undefined ? {} : { variable }), code });
  }

  throwIfAny(): void {
    if (this.found.length === 0) return;
    const codes = new Set(this.found.map(({ code }) => code));
    const [code = "ERR_LAKEBASE_CONFIG"] = codes.size === 1 ? codes : [];
    throw configError(
      this.found.map(({ code: _code, ...problem }) => problem),
      code,
    );
  }
}

/** A value and where it came from, so that every message can name the place to mend. */
interface Found {
  readonly value: string;
  readonly option: string;
  readonly variable?: string;
}

/** Options are checked at run time too: much of their use is JavaScript. */
export function unknownOptionProblems(options: object, known: readonly string[], hints: Record<string, string> = {}) {
  return Object.keys(options)
    .filter((key) => !known.includes(key) && (options as Record<string, unknown>)[key] !== undefined)
    .map((key) => ({ option: key, message: hints[key] ?? "is not an option" }));
}

/**
 * Turns options and environment into one frozen configuration.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem, `ERR_LAKEBASE_HOST_REFUSED` when all of them are
 * hosts that must not receive a token.
 */
export function resolveConfig(options: LakebaseOptions): ResolvedConfig {
  const problems = new Problems();
  const ignored: { setting: string; reason: string }[] = [];
  for (const { option, message } of unknownOptionProblems(options, lakebaseOptionKeys)) problems.add(option, message);

  const env = options.env ?? process.env;
  const variable = (name: string): string | undefined => {
    const value = env[name]?.trim();
    return value === "" ? undefined : value;
  };

  const string = (option: keyof LakebaseOptions): Found | undefined => {
    const value: unknown = options[option];
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value.trim() === "") {
      problems.add(option, "must be a string that is not empty");
      return undefined;
    }
    return { value: value.trim(), option };
  };
  const fromEnv = (name: string, option: string): Found | undefined => {
    const value = variable(name);
    return value === undefined ? undefined : { value, option, variable: name };
  };
  const wrong = (found: Found, message: string, code?: LakebaseErrorCode) =>
    problems.add(found.option, message, found.variable, code);

  // --- the connection string, whose parts count as options
  const url: ConnectionStringFields = {};
  const connectionString = string("connectionString");
  if (connectionString) {
    const parsed = parseConnectionString(connectionString.value);
    Object.assign(url, parsed.fields);
    for (const { option, message } of parsed.problems) problems.add(option, message);
  }
  const explicit = (option: keyof LakebaseOptions & keyof ConnectionStringFields): Found | undefined => {
    const own: Found | undefined =
      option === "port" && typeof options.port === "number" ? { value: String(options.port), option } : string(option);
    const part = url[option];
    if (part === undefined) return own;
    if (own && own.value !== part) problems.add(option, clash);
    return { value: part, option: `connectionString (${option})` };
  };

  // --- groups: an option of a group shuts out the whole group's environment
  const given = (keys: readonly (keyof LakebaseOptions)[]) => keys.some((key) => options[key] !== undefined);
  const targetFromOptions = given(targetKeys);
  const identityFromOptions = given(identityKeys) || url.user !== undefined || url.password !== undefined;

  // --- target
  const endpoint =
    string("endpoint") ??
    (targetFromOptions
      ? undefined
      : endpointVariables
          .map(({ name, only }) => {
            const found = fromEnv(name, "endpoint");
            return found && (only === undefined || only.test(found.value)) ? found : undefined;
          })
          .find((found) => found !== undefined));
  const instance = string("instance") ?? (targetFromOptions ? undefined : fromEnv(instanceVariable, "instance"));
  const host = explicit("host") ?? (targetFromOptions ? undefined : fromEnv("PGHOST", "host"));
  const hostAddress = explicit("hostAddress") ?? (targetFromOptions ? undefined : fromEnv("PGHOSTADDR", "hostAddress"));
  const port = portOf(explicit("port") ?? (targetFromOptions ? undefined : fromEnv("PGPORT", "port")), wrong);

  let target: Target | undefined;
  if (endpoint && instance) {
    wrong(instance, `is a second target beside ${endpoint.variable ?? "`endpoint`"}; remove one`);
  }
  for (const [found, parse] of [
    [endpoint, parseEndpoint],
    [instance, parseInstance],
  ] as const) {
    if (!found) continue;
    const parsed = parse(found.value);
    if ("problem" in parsed) wrong(found, parsed.problem);
    else target ??= parsed.value;
  }
  for (const found of [host, hostAddress]) {
    const problem = found && hostProblem(found.value);
    if (found && problem) wrong(found, problem);
  }
  const hostName = host && !hostProblem(host.value) ? normalizeHost(host.value) : undefined;
  if (!endpoint && !instance && hostName !== undefined) target = { kind: "host", host: hostName };

  const trusted = trustedHosts();

  // --- identity
  const user = explicit("user") ?? (targetFromOptions || identityFromOptions ? undefined : fromEnv("PGUSER", "user"));
  if (user && /[\0\r\n]/.test(user.value)) wrong(user, "holds a control character");
  const password = passwordOf();
  const workspace =
    string("workspaceHost") ?? (identityFromOptions ? undefined : fromEnv("DATABRICKS_HOST", "workspaceHost"));
  const workspaceHost = workspace && workspaceOrigin(workspace, wrong);
  if (options.auth !== undefined && !isWorkspaceAuth(options.auth)) {
    problems.add("auth", "must be made by clientCredentials(), personalAccessToken() or accessToken()");
  }
  if (options.auth !== undefined && password !== undefined) {
    problems.add("auth", "is given beside the password of a native role; remove one");
  }
  const missing: ConfigProblem[] = [];
  /** Why the environment did not help. */
  const unread = (shutOut: boolean, keys: readonly string[]) =>
    shutOut ? `; the environment is not read, because one of ${keys.join(", ")} is given as an option` : "";

  let identity: Identity;
  if (password !== undefined) {
    if (!user) problems.add("user", "is needed beside a password: the native role", "PGUSER");
    if (!hostName) problems.add("host", "is needed beside a password", "PGHOST");
    identity = { kind: "native", user: user?.value ?? "", password };
  } else {
    identity = {
      kind: "oauth",
      auth: options.auth,
      environment: identityFromOptions ? undefined : identityEnvironment(),
      user: user?.value,
    };
    if (!options.auth && identityFromOptions) {
      missing.push({
        option: "auth",
        message: `is needed to fetch tokens, for example clientCredentials({ clientId, clientSecret })${unread(true, identityKeys)}`,
      });
    }
    if (!workspace) {
      missing.push({
        option: "workspaceHost",
        variable: "DATABRICKS_HOST",
        message: `is needed to fetch tokens: https://<workspace>${unread(identityFromOptions, identityKeys)}`,
      });
    }
    checkGuard();
  }
  if (!endpoint && !instance && (!host || identity.kind === "oauth")) {
    missing.push({
      option: "endpoint",
      variable: "LAKEBASE_ENDPOINT (or LAKEBASE_INSTANCE_NAME)",
      message: `${host ? "is needed beside the host, because tokens are minted for it" : "is needed to know what to connect to"}: ${endpointForm}, or \`instance\`${unread(targetFromOptions, targetKeys)}`,
    });
  }

  // --- the rest
  const mode = fromEnv("PGSSLMODE", "ssl");
  const modeProblem = mode && sslModeProblem(mode.value);
  if (mode && modeProblem) wrong(mode, modeProblem);
  const ssl = sslOf();
  const credential = credentialOf();
  for (const key of ["onEvent", "fetch"] as const) {
    if (options[key] !== undefined && typeof options[key] !== "function") problems.add(key, "must be a function");
  }
  if (options.clock !== undefined && typeof options.clock?.now !== "function") problems.add("clock", "must have now()");
  const workspaceCa =
    certificates(string("workspaceCa")) ??
    (identityFromOptions ? undefined : certificates(fromEnv("LAKEBASE_WORKSPACE_CA", "workspaceCa")));
  if (workspaceCa && options.fetch) {
    problems.add("workspaceCa", "has no effect on `fetch`; give that function the certificates");
  }

  const scope = scopeOf(
    { ...options, database: explicit("database")?.value, applicationName: nameOf() },
    env,
    problems,
  );
  problems.throwIfAny();
  return Object.freeze({
    target,
    host: hostName,
    hostAddress: hostAddress?.value,
    port,
    identity,
    workspaceHost,
    workspaceCa,
    sslCa: ssl.ca,
    sslMinVersion: ssl.minVersion,
    trustedHosts: trusted,
    credential,
    scope,
    startupOptions: variable("PGOPTIONS"),
    onEvent: options.onEvent,
    fetch: options.fetch,
    clock: options.clock,
    missing: Object.freeze(missing),
    ignored: Object.freeze(ignored),
  });

  function nameOf(): LakebaseOptions["applicationName"] {
    if (url.applicationName === undefined) return options.applicationName;
    if (options.applicationName !== undefined && options.applicationName !== url.applicationName) {
      problems.add("applicationName", clash);
    }
    return url.applicationName;
  }

  function passwordOf(): Secret | (() => string | Promise<string>) | undefined {
    const { password: option } = options;
    if (option !== undefined && url.password !== undefined) {
      problems.add("password", "is also in `connectionString`; give it once");
    }
    if (typeof option === "function") return option;
    let found: Found | undefined = url.password === undefined ? string("password") : undefined;
    // A password is taken as it stands: trimming is for names.
    if (found && typeof option === "string") found = { ...found, value: option };
    if (url.password !== undefined) found = { value: url.password, option: "connectionString (password)" };
    if (!found && !identityFromOptions) {
      const fallback = env.PGPASSWORD === "" ? undefined : env.PGPASSWORD;
      if (fallback !== undefined && (endpoint || instance)) {
        ignored.push({
          setting: "PGPASSWORD",
          reason: "an endpoint or instance is reached with tokens",
        });
      } else if (fallback !== undefined && host && !targetFromOptions) {
        found = { value: fallback, option: "password", variable: "PGPASSWORD" };
      }
    }
    if (!found) return undefined;
    if (patPattern.test(found.value)) {
      wrong(
        found,
        "is a personal access token, which Postgres does not accept; give it as `auth: personalAccessToken(…)` or DATABRICKS_TOKEN",
      );
    } else if (jwtPattern.test(found.value)) {
      wrong(found, "is an OAuth token, which ends within the hour; give `auth` instead, and tokens are refreshed");
    }
    return createSecret(found.value);
  }

  function identityEnvironment(): Record<string, Secret> {
    const found: Record<string, Secret> = {};
    for (const name of identityVariables) {
      const value = variable(name);
      if (value !== undefined) found[name] = createSecret(value);
    }
    return found;
  }

  /** A token may go to Lakebase's own hosts and to those named exactly; a pooler does not take tokens at all. */
  function checkGuard(): void {
    if (!host || hostName === undefined) return;
    const known = parseLakebaseHost(hostName);
    if (known?.pooled) {
      wrong(
        host,
        `is a connection pooler (${hostName}), which does not accept tokens; use the host without -pooler, or a native role`,
        "ERR_LAKEBASE_HOST_REFUSED",
      );
    } else if (!known && !trusted.has(hostName)) {
      wrong(
        host,
        `is not a Lakebase host (${hostName}), so no token is sent to it; if it is yours, name it in \`trustedHosts\` or LAKEBASE_TRUSTED_HOSTS`,
        "ERR_LAKEBASE_HOST_REFUSED",
      );
    } else if (known && options.access === "read-only" && !known.readOnly && !endpoint && !instance) {
      wrong(host, "is a read-write host, but `access` is read-only; leave the host out or give the read-only one");
    }
  }

  function trustedHosts(): Set<string> {
    const list: unknown = options.trustedHosts ?? variable("LAKEBASE_TRUSTED_HOSTS")?.split(",") ?? [];
    const names = new Set<string>();
    if (!Array.isArray(list)) {
      problems.add("trustedHosts", "must be an array of host names");
      return names;
    }
    for (const entry of list) {
      if (typeof entry !== "string" || entry.includes("*") || hostProblem(entry)) {
        problems.add(
          "trustedHosts",
          "must hold exact host names, without wildcards and ports",
          "LAKEBASE_TRUSTED_HOSTS",
        );
      } else {
        names.add(normalizeHost(entry));
      }
    }
    return names;
  }

  function sslOf(): { ca: CertificateSource | undefined; minVersion: "TLSv1.2" | "TLSv1.3" } {
    const { ssl: option } = options;
    if (option !== undefined && (typeof option !== "object" || option === null)) {
      problems.add("ssl", `must be { ca?, minVersion? }: ${alwaysVerified}`);
    } else if (option) {
      for (const key of Object.keys(option)) {
        if (key === "ca" || key === "minVersion") continue;
        problems.add(`ssl.${key}`, `is not an option: ${alwaysVerified}`);
      }
    }
    const minVersion = option?.minVersion ?? "TLSv1.2";
    if (minVersion !== "TLSv1.2" && minVersion !== "TLSv1.3") {
      problems.add("ssl.minVersion", 'must be "TLSv1.2" or "TLSv1.3"');
    }
    if (option?.ca !== undefined) {
      const pem = typeof option.ca === "string" ? [option.ca] : option.ca;
      if (!Array.isArray(pem) || !pem.every((text) => isPem(text))) {
        problems.add("ssl.ca", `${notPem} PGSSLROOTCERT`);
        return { ca: undefined, minVersion };
      }
      return { ca: { pem }, minVersion };
    }
    const root = fromEnv("PGSSLROOTCERT", "ssl.ca");
    return { ca: root?.value === "system" ? undefined : certificates(root), minVersion };
  }

  function certificates(found: Found | undefined): CertificateSource | undefined {
    if (!found) return undefined;
    if (isPem(found.value)) return { pem: [found.value] };
    if (found.variable) return { file: found.value };
    wrong(found, `${notPem} LAKEBASE_WORKSPACE_CA`);
    return undefined;
  }

  function credentialOf(): ResolvedConfig["credential"] {
    const { ttlSeconds, claims = [], ...unknown } = options.credential ?? {};
    for (const key of Object.keys(unknown)) problems.add(`credential.${key}`, "is not an option");
    if (ttlSeconds !== undefined) {
      if (!Number.isInteger(ttlSeconds) || ttlSeconds < 300 || ttlSeconds > 3600) {
        problems.add("credential.ttlSeconds", "must be a whole number from 300 to 3600");
      } else if (instance) {
        problems.add("credential.ttlSeconds", "cannot be chosen for an instance");
      }
    }
    const valid = (claim: Claim) => claim?.permissionSet === "READ_ONLY" && Array.isArray(claim.tables);
    if (!Array.isArray(claims) || !claims.every(valid)) {
      problems.add("credential.claims", 'must be a list of { permissionSet: "READ_ONLY", tables: string[] }');
    }
    return Object.freeze({ ttlSeconds, claims });
  }
}

/**
 * The scope of one pool on a handle: its own choices over the handle's.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG`
 */
export function resolveScope(base: ResolvedScope, own: PoolScope): ResolvedScope {
  const problems = new Problems();
  const resolved = scopeOf(own, {}, problems, base);
  problems.throwIfAny();
  return resolved;
}

function scopeOf(
  own: PoolScope,
  env: Readonly<Record<string, string | undefined>>,
  problems: Problems,
  base?: ResolvedScope,
): ResolvedScope {
  const fallback = (name: string) => (env[name]?.trim() ? env[name]?.trim() : undefined);

  const database = own.database ?? fallback("PGDATABASE") ?? base?.database ?? "databricks_postgres";
  if (typeof database !== "string" || database === "" || database.includes("\0")) {
    problems.add("database", "must be the name of a database", "PGDATABASE");
  }
  const name = own.applicationName ?? fallback("PGAPPNAME");
  let applicationName = base?.applicationName;
  if (name !== undefined) {
    const parsed = parseApplicationName(name);
    if ("problem" in parsed) {
      problems.add("applicationName", parsed.problem, own.applicationName === undefined ? "PGAPPNAME" : undefined);
    } else {
      applicationName = parsed.value;
    }
  }
  const access = own.access ?? base?.access ?? "read-write";
  if (access !== "read-write" && access !== "read-only") {
    problems.add("access", 'must be "read-write" or "read-only"');
  }
  const connectTimeoutMs = own.connectTimeoutMs ?? base?.connectTimeoutMs ?? 30_000;
  if (!Number.isInteger(connectTimeoutMs) || connectTimeoutMs < 1 || connectTimeoutMs > maxTimerMs) {
    problems.add("connectTimeoutMs", `must be a whole number from 1 to ${maxTimerMs}`);
  }
  return Object.freeze({ database, applicationName, access, connectTimeoutMs });
}

function portOf(found: Found | undefined, wrong: (found: Found, message: string) => void): number {
  if (!found) return 5432;
  const port = Number(found.value);
  if (/^\d+$/.test(found.value) && port >= 1 && port <= 65_535) return port;
  wrong(found, "must be a port from 1 to 65535");
  return 5432;
}

function workspaceOrigin(found: Found, wrong: (found: Found, message: string) => void): string | undefined {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(found.value) ? found.value : `https://${found.value}`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    wrong(found, "is not a valid address; give https://<workspace>");
    return undefined;
  }
  if (url.protocol !== "https:") {
    wrong(found, "must be https: tokens and secrets are sent to it");
    return undefined;
  }
  if (url.username || url.password) {
    wrong(found, "must not hold a user or password");
    return undefined;
  }
  return url.origin;
}

function isPem(text: unknown): boolean {
  return typeof text === "string" && text.includes("-----BEGIN ") && text.includes("CERTIFICATE-----");
}
