import { type ConfigProblem, configError } from "@x/lakebase-core";
import { lakebaseOptionKeys, poolOptionKeys } from "@x/lakebase-core/pg";
import type { Knex } from "knex";

const setByUs = "is set by this library";
const beside = "is Knex's own: it stands beside, { ...lakebaseKnexConfig(…), … }";
const say = (message: string, ...options: string[]) => Object.fromEntries(options.map((option) => [option, message]));

/** What is to be said about options of Knex and of pools that are none of {@link lakebaseKnexConfig}. */
export const hints: Readonly<Record<string, string>> = {
  ...say(setByUs, "client", "connection", "connectionPool", "dialect", "version"),
  ...say(beside, "acquireConnectionTimeout", "asyncStackTraces", "debug", "log", "migrations", "postProcessResponse"),
  ...say(beside, "searchPath", "seeds", "userParams", "wrapIdentifier"),
  max: "give `pool.max`",
  min: "give `pool.min`",
  idleTimeoutMillis: "give `pool.idleTimeoutMillis`",
  maxLifetimeSeconds: "give `pool.maxConnectionLifetimeMillis`",
};

/** Knex would pass over them in silence. */
const oursAlone = ["lakebase", ...lakebaseOptionKeys, ...poolOptionKeys].filter((option) => option !== "log");

/** Lakebase ends any session after three days. */
const maxLifetimeMillis = 216_000_000;

/**
 * Looks at all that Knex is given, ours and what stands beside it.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem.
 */
export function refuseOurs(config: Knex.Config, connectTimeoutMs: number): void {
  const { connection, pool, acquireConnectionTimeout } = config;
  const problems: ConfigProblem[] = [];
  const refuse = (option: string, message: string) => problems.push({ option, message });
  const empty = Object(connection) === connection && Object.keys(connection as object).length === 0;
  if (typeof connection !== "object" || !empty) refuse("connection", setByUs);
  for (const [option, value] of Object.entries(config)) {
    if (value === undefined) continue;
    if (["connectionPool", "dialect", "version"].includes(option)) refuse(option, setByUs);
    else if (oursAlone.includes(option)) refuse(option, "belongs into lakebaseKnexConfig({ … })");
  }
  if (pool !== undefined && Object(pool) !== pool) refuse("pool", "must be an object");
  if (pool?.createTimeoutMillis !== undefined) {
    refuse("pool.createTimeoutMillis", `${setByUs}; give \`connectTimeoutMs\``);
  }
  for (const [option, waitMs] of [
    ["acquireConnectionTimeout", acquireConnectionTimeout],
    ["pool.acquireTimeoutMillis", pool?.acquireTimeoutMillis],
  ] as const) {
    if (waitMs !== undefined && !(waitMs > connectTimeoutMs)) {
      refuse(
        option,
        `must be more than \`connectTimeoutMs\` (${connectTimeoutMs}), or nobody learns why a login failed`,
      );
    }
  }
  const { maxConnectionLifetimeMillis: lifetime = 0 } = pool ?? {};
  if (!(lifetime >= 0 && lifetime <= maxLifetimeMillis)) {
    refuse("pool.maxConnectionLifetimeMillis", `must be from 0 to ${maxLifetimeMillis}`);
  }
  if (problems.length > 0) throw configError(problems);
}
