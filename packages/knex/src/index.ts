import { type LakebaseClientOptions, shareHandle, takeOut } from "@x/lakebase-core/pg";
import type { Knex } from "knex";
import { lakebaseDialect } from "./dialect.ts";

/** Options of {@link lakebaseKnexConfig}: ours, node-postgres' own of a client beside them, and Knex's `pool`. */
export type LakebaseKnexOptions = LakebaseClientOptions & {
  /** Knex's own; defaults: `min` 0, `max` 10, idle for 30 s, a lifetime of 3600 s ± 10 %. */
  pool?: Omit<Knex.PoolConfig, "createTimeoutMillis"> | undefined;
};

const hints = {
  max: "give `pool.max`",
  min: "give `pool.min`",
  idleTimeoutMillis: "give `pool.idleTimeoutMillis`",
  maxLifetimeSeconds: "give `pool.maxConnectionLifetimeMillis`",
};
const otherwise = "is not an option; what is Knex's own stands beside, { ...lakebaseKnexConfig(…), … }";

/**
 * A configuration for Knex whose logins carry fresh tokens. It is Knex's own kind, so what else Knex takes stands beside it:
 * `migrations`, `seeds`, `searchPath`, `log` and all others. `db.destroy()` is all there is to clean up; a `lakebase` that
 * you give stays yours.
 *
 * Default application name: `x-lakebase-knex/<version>`. `connectTimeoutMs` bounds a login; a query waits for a connection
 * 30 s longer than that, or for Knex's `acquireConnectionTimeout`.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options; and later, from `knex()`, when what
 * stands beside them replaces what this library sets.
 * @example
 * ```ts
 * import { lakebaseKnexConfig } from "@x/lakebase-knex";
 * import knex from "knex";
 *
 * const db = knex({
 *   ...lakebaseKnexConfig({ applicationName: { isv: "acme" }, pool: { max: 20 } }),
 *   searchPath: ["shop"],
 * });
 * await db.select(db.raw("1"));
 * await db.destroy();
 * ```
 */
export function lakebaseKnexConfig(options: LakebaseKnexOptions = {}): Knex.Config {
  const [{ pool }, ours] = takeOut<Pick<LakebaseKnexOptions, "pool">, LakebaseClientOptions>(options, "pool");
  const shared = shareHandle(ours, "knex", { kind: "client", hints, otherwise });
  return { client: lakebaseDialect(shared), connection: {}, ...(pool !== undefined && { pool }) };
}
