import type pg from "pg";
import { type ConfigProblem, configError } from "../errors.ts";
import type { Lakebase } from "../lakebase.ts";
import {
  alwaysVerified,
  type LakebaseOptions,
  lakebaseOptionKeys,
  type PoolScope,
  poolScopeKeys,
  unknownOptionProblems,
} from "../options.ts";

/** node-postgres' own options of a client that stand beside ours. */
const clientOptionKeys = [
  "keepAlive",
  "keepAliveInitialDelayMillis",
  "statement_timeout",
  "query_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "types",
  "options",
  "client_encoding",
  "pipeline",
] as const satisfies (keyof pg.ClientConfig)[];

/** node-postgres' own options of a pool that stand beside ours. */
const poolOptionKeys = [
  ...clientOptionKeys,
  "max",
  "min",
  "idleTimeoutMillis",
  "maxLifetimeSeconds",
  "maxUses",
  "allowExitOnIdle",
  "log",
  "onConnect",
  "verify",
] as const satisfies (keyof pg.PoolConfig)[];

/** node-postgres' options of a client, without those that this library sets. */
export type PgClientOptions = Pick<pg.ClientConfig, (typeof clientOptionKeys)[number]>;
/** node-postgres' options of a pool, without those that this library sets. */
export type PgPoolOptions = Pick<pg.PoolConfig, (typeof poolOptionKeys)[number]>;

/** A handle that you made, and what this pool has for itself; target and identity belong to the handle. */
export type OnLakebase = { lakebase: Lakebase } & PoolScope & {
    [Key in Exclude<keyof LakebaseOptions, keyof PoolScope>]?: never;
  };

/** The options that name a handle, or make one. */
export type HandleOptions = (LakebaseOptions & { lakebase?: never }) | OnLakebase;

/** What we set, or what has another name here: refused, because dropping it in silence would be worse. */
const give = (option: string) => `is set by this library; give \`${option}\``;
const hints: Record<string, string> = {
  application_name: give("applicationName"),
  connectionTimeoutMillis: give("connectTimeoutMs"),
  stream: give("hostAddress"),
  Client: "is set by this library",
  sslmode: alwaysVerified,
  rejectUnauthorized: alwaysVerified,
};

/** Lakebase ends any session after three days; a pool that keeps one longer would lose it in use. */
const maxLifetimeLimitSeconds = 216_000;

export interface SplitOptions<Driver> {
  readonly lakebase: Lakebase | undefined;
  readonly handle: LakebaseOptions;
  readonly scope: PoolScope;
  readonly driver: Driver;
}

/**
 * Tells our options from the driver's.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` for an option that is unknown, ours to set, or the handle's.
 */
export function splitOptions(
  options: HandleOptions & PgPoolOptions,
  kind: "pool" | "client",
): SplitOptions<PgPoolOptions> {
  const driverKeys: readonly string[] = kind === "pool" ? poolOptionKeys : clientOptionKeys;
  const problems: ConfigProblem[] = unknownOptionProblems(
    options,
    ["lakebase", ...lakebaseOptionKeys, ...driverKeys],
    hints,
  );
  if (options.lakebase !== undefined) {
    for (const [key, value] of Object.entries(options)) {
      const ofHandle = lakebaseOptionKeys.includes(key) && !poolScopeKeys.includes(key);
      if (ofHandle && value !== undefined) {
        problems.push({
          option: key,
          message: "is for createLakebase()",
        });
      }
    }
  }
  const { maxLifetimeSeconds: lifetime } = options;
  if (lifetime !== undefined && !(Number.isFinite(lifetime) && lifetime >= 0 && lifetime <= maxLifetimeLimitSeconds)) {
    problems.push({
      option: "maxLifetimeSeconds",
      message: `must be from 0 to ${maxLifetimeLimitSeconds}`,
    });
  }
  for (const key of ["max", "min"] as const) {
    const [value, least] = [options[key], key === "max" ? 1 : 0];
    if (value !== undefined && !(Number.isInteger(value) && value >= least)) {
      problems.push({ option: key, message: `must be a whole number from ${least}` });
    }
  }
  if ((options.min ?? 0) > (options.max ?? 10)) problems.push({ option: "min", message: "must not exceed `max`" });
  if (problems.length > 0) throw configError(problems);

  const pick = (keys: readonly string[]) =>
    Object.fromEntries(Object.entries(options).filter(([key, value]) => keys.includes(key) && value !== undefined));
  return {
    lakebase: options.lakebase,
    handle: pick(lakebaseOptionKeys) as LakebaseOptions,
    scope: pick(poolScopeKeys) as PoolScope,
    driver: pick(driverKeys) as PgPoolOptions,
  };
}
