import { type ConfigProblem, configError } from "@x/lakebase-core";
import type { Knex } from "knex";

const setByUs = "is set by this library";
const beside = "is Knex's own: it stands beside, { ...lakebaseKnexConfig(…), … }";

/** What is to be said about options of Knex and of pools that are none of {@link lakebaseKnexConfig}. */
export const hints: Record<string, string> = {
  client: setByUs,
  connection: setByUs,
  connectionPool: setByUs,
  dialect: setByUs,
  version: setByUs,
  max: "give `pool.max`",
  min: "give `pool.min`",
  idleTimeoutMillis: "give `pool.idleTimeoutMillis`",
  maxLifetimeSeconds: "give `pool.maxConnectionLifetimeMillis`",
  acquireConnectionTimeout: beside,
  asyncStackTraces: beside,
  debug: beside,
  log: beside,
  migrations: beside,
  postProcessResponse: beside,
  searchPath: beside,
  seeds: beside,
  userParams: beside,
  wrapIdentifier: beside,
};

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
  for (const option of ["connectionPool", "dialect", "version"] as const) {
    if ((config as Record<string, unknown>)[option] !== undefined) refuse(option, setByUs);
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
