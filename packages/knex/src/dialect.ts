import { setMaxListeners } from "node:events";
import { LakebaseError } from "@x/lakebase-core";
import {
  type LakebasePoolOptions,
  lakebaseOptionKeys,
  lakebasePoolConfig,
  poolOptionKeys,
  refuseOptions,
} from "@x/lakebase-core/pg";
import knex, { type Knex } from "knex";
import pg from "pg";

/** Knex's patience: for what it does in the wake of a login, and for others to give a connection back. */
const patienceMs = 30_000;
const longestTimerMs = 2 ** 31 - 1;

/** An hour ± 10 % for each connection; Knex adds up to the jitter. */
const lifetime = { maxConnectionLifetimeMillis: 3_240_000, maxConnectionLifetimeJitterMillis: 720_000 };

/** Lakebase ends any session after three days. */
const longestLifeMs = 216_000_000;

const setByUs = "is set by this library";
/** Knex would pass over them in silence. */
const ours = new Set(["lakebase", ...lakebaseOptionKeys, ...poolOptionKeys]);
ours.delete("log");

/** Knex's dialect for Postgres, with clients that are bound to a handle. */
export function lakebaseDialect(shared: LakebasePoolOptions): typeof Knex.Client {
  // By Knex's public face: some of its versions close the path to the file.
  const { client: plain } = knex({ client: "pg" });
  const Postgres: typeof Knex.Client = plain.constructor;
  // Knex 3.1 has no lifetime and hands the words on to its pool, which refuses them.
  const hasLifetime = !("maxConnectionLifetimeMillis" in plain.getPoolSettings({ ...lifetime }));
  const { connectionTimeoutMillis: loginMs } = lakebasePoolConfig(shared, "knex");

  return class LakebaseKnexClient extends Postgres {
    /** Gives up logins, for which Knex's pool would wait before it ends. Set while the base class is being made. */
    declare shutDown: AbortController | undefined;

    constructor(config: Knex.Config) {
      refuseOurs(config, loginMs);
      super(config);
    }

    _driver() {
      this.shutDown = new AbortController();
      // Every login listens to it.
      setMaxListeners(0, this.shutDown.signal);
      return { ...pg, Client: lakebasePoolConfig(shared, "knex", this.shutDown.signal).Client };
    }

    override poolDefaults() {
      const { pool, acquireConnectionTimeout } = this.config;
      const timeoutMs = Math.min(loginMs + patienceMs, longestTimerMs);
      return {
        ...super.poolDefaults(),
        min: 0,
        createTimeoutMillis: timeoutMs,
        acquireTimeoutMillis: acquireConnectionTimeout ?? timeoutMs,
        ...(hasLifetime && pool?.maxConnectionLifetimeMillis === undefined && lifetime),
      };
    }

    override initializePool(config?: Knex.Config) {
      // After destroy(): what was shut down stays so.
      if (this.shutDown?.signal.aborted) this.initializeDriver();
      super.initializePool(config);
    }

    override destroy(callback?: unknown) {
      this.shutDown?.abort(new LakebaseError("ERR_LAKEBASE_ABORTED", "Knex was destroyed"));
      return super.destroy(callback);
    }

    override database(): string | undefined {
      return new this.driver.Client().database;
    }
  };
}

/** Looks at all that Knex is given, ours and what stands beside it. */
function refuseOurs(config: Knex.Config & { connectionPool?: unknown }, loginMs: number): void {
  const { connection, connectionPool, dialect, version, pool, acquireConnectionTimeout } = config;
  const { createTimeoutMillis, acquireTimeoutMillis, maxConnectionLifetimeMillis = 0 }: Knex.PoolConfig = Object(pool);
  const isEmpty = typeof connection === "object" && Object.keys(connection ?? { null: true }).length === 0;
  const misplaced = Object.entries(config).filter(([option, value]) => ours.has(option) && value !== undefined);
  const tooShort = `must be more than \`connectTimeoutMs\` (${loginMs}), or nobody learns why a login failed`;
  const isShort = (waitMs?: number) => waitMs !== undefined && !(waitMs > loginMs);
  refuseOptions({
    connection: !isEmpty && setByUs,
    connectionPool: connectionPool !== undefined && setByUs,
    dialect: dialect !== undefined && setByUs,
    version: version !== undefined && setByUs,
    ...Object.fromEntries(misplaced.map(([option]) => [option, "belongs into lakebaseKnexConfig({ … })"])),
    pool: pool !== undefined && Object(pool) !== pool && "must be an object",
    "pool.createTimeoutMillis": createTimeoutMillis !== undefined && `${setByUs}; give \`connectTimeoutMs\``,
    acquireConnectionTimeout: isShort(acquireConnectionTimeout) && tooShort,
    "pool.acquireTimeoutMillis": isShort(acquireTimeoutMillis) && tooShort,
    "pool.maxConnectionLifetimeMillis":
      !(maxConnectionLifetimeMillis >= 0 && maxConnectionLifetimeMillis <= longestLifeMs) &&
      `must be from 0 to ${longestLifeMs}`,
  });
}
