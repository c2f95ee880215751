import { setMaxListeners } from "node:events";
import { LakebaseError } from "@x/lakebase-core";
import { type LakebasePoolOptions, lakebasePoolConfig } from "@x/lakebase-core/pg";
import knex, { type Knex } from "knex";
import pg from "pg";
import { refuseOurs } from "./own-options.ts";

/** Knex's patience: for what it does in the wake of a login, and for others to give a connection back. */
const patienceMs = 30_000;
const longestTimerMs = 2 ** 31 - 1;

/** An hour ± 10 % for each connection; Knex adds up to the jitter. */
const lifetime = { maxConnectionLifetimeMillis: 3_240_000, maxConnectionLifetimeJitterMillis: 720_000 };

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
