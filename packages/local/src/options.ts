import type { PostgresMajor } from "./postgres/binaries.ts";

/** Options of {@link startLocalLakebase}. */
export interface LocalLakebaseOptions {
  /**
   * Major version of Postgres; default 17. When it is given, no other version will do.
   * 16 wants binaries of its own: the error says which command adds them.
   */
  postgres?: PostgresMajor;
  /**
   * `lakebase` (default), or `plain`: the same front and API before an ordinary Postgres, in which nothing is to be found
   * by which a Lakebase is recognised.
   */
  profile?: "lakebase" | "plain";
  /** Life of a database credential in seconds; default 3600. Unlike the API's own `ttl` it may be as short as a second. */
  tokenLifeSeconds?: number;
  /** Life of a workspace token in seconds; default 3600. */
  workspaceTokenLifeSeconds?: number;
  /**
   * `classic` (default): a workspace with a host of its own. `unified`: a host that several workspaces share, so that OAuth
   * is found under its account only and every call names its workspace in the header `X-Databricks-Workspace-Id`.
   */
  hostKind?: "classic" | "unified";
  /** How long a suspended compute takes to wake, in milliseconds of the local clock; default 500. */
  wakeDelayMs?: number;
  /** Lets clients in that send no name in TLS (JDBC to `localhost`); default false, as the service refuses them. */
  allowMissingSni?: boolean;
  /** Port of the login front on 127.0.0.1; default 0: any that is free. */
  port?: number;
  /** Port of the workspace API on 127.0.0.1; default 0: any that is free. */
  workspacePort?: number;
  /** Is told which Postgres was chosen; default: one line on stderr. */
  log?: (line: string) => void;
  /** Where LAKEBASE_TEST_PG_URL, LAKEBASE_TEST_PROVIDER, PATH and TMPDIR are read from; default `process.env`. */
  env?: Record<string, string | undefined>;
}

/** Options with their defaults; `postgres` stays open when nobody asked for a version. */
export type ResolvedOptions = Required<Omit<LocalLakebaseOptions, "postgres">> & {
  postgres: LocalLakebaseOptions["postgres"] | undefined;
};

const known = new Set<keyof LocalLakebaseOptions>([
  "postgres",
  "profile",
  "tokenLifeSeconds",
  "workspaceTokenLifeSeconds",
  "hostKind",
  "wakeDelayMs",
  "allowMissingSni",
  "port",
  "workspacePort",
  "log",
  "env",
]);

export function resolveOptions(options: LocalLakebaseOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!known.has(name as keyof LocalLakebaseOptions))
      throw new TypeError(`startLocalLakebase has no option "${name}"`);
  }
  const { postgres, profile = "lakebase", hostKind = "classic" } = options;
  if (postgres !== undefined && postgres !== 16 && postgres !== 17) {
    throw new RangeError(`postgres must be 16 or 17, not ${String(postgres)}`);
  }
  if (profile !== "lakebase" && profile !== "plain") {
    throw new TypeError(`profile must be "lakebase" or "plain", not "${String(profile)}"`);
  }
  if (hostKind !== "classic" && hostKind !== "unified") {
    throw new TypeError(`hostKind must be "classic" or "unified", not "${String(hostKind)}"`);
  }
  return {
    postgres,
    profile,
    hostKind,
    tokenLifeSeconds: atLeast("tokenLifeSeconds", options.tokenLifeSeconds ?? 3600, 1),
    workspaceTokenLifeSeconds: atLeast("workspaceTokenLifeSeconds", options.workspaceTokenLifeSeconds ?? 3600, 1),
    wakeDelayMs: atLeast("wakeDelayMs", options.wakeDelayMs ?? 500, 0),
    allowMissingSni: options.allowMissingSni ?? false,
    port: options.port ?? 0,
    workspacePort: options.workspacePort ?? 0,
    log: options.log ?? ((line) => void process.stderr.write(`${line}\n`)),
    env: options.env ?? process.env,
  };
}

function atLeast(name: string, value: number, least: number): number {
  if (!Number.isFinite(value) || value < least) throw new RangeError(`${name} must be ${least} or more, not ${value}`);
  return value;
}
