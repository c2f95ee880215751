import type pg from "pg";
import { type AdapterWords, type DriverWords, give, type HandleOptions, splitOptions } from "../driver-options.ts";

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

/** Names of node-postgres' own options of a pool that stand beside ours; for authors of adapters. */
export const poolOptionKeys = [
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

// Older `@types/pg` do not know all of these: what they know is an option, and the rest does not become a required one.
/** node-postgres' options of a client, without those that this library sets. */
export type PgClientOptions = Pick<pg.ClientConfig, (typeof clientOptionKeys)[number] & keyof pg.ClientConfig>;
/** node-postgres' options of a pool, without those that this library sets. */
export type PgPoolOptions = Pick<pg.PoolConfig, (typeof poolOptionKeys)[number] & keyof pg.PoolConfig>;

const words: Omit<DriverWords, "keys"> = {
  lifetime: "maxLifetimeSeconds",
  hints: {
    application_name: give("applicationName"),
    connectionTimeoutMillis: give("connectTimeoutMs"),
    stream: give("hostAddress"),
    Client: "is set by this library",
  },
};

/** @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the options are none at all. */
export function splitPgOptions(
  options: HandleOptions & PgPoolOptions,
  kind: "pool" | "client",
  adapter: AdapterWords = {},
) {
  const keys = kind === "pool" ? poolOptionKeys : clientOptionKeys;
  const hints = { ...words.hints, ...adapter.hints };
  return splitOptions<PgPoolOptions>(options, { ...words, ...adapter, keys, hints });
}
