import { setMaxListeners } from "node:events";
import pg from "pg";
import { type AdapterWords, bindOptions, type HandleOptions, type OnLakebase, spread } from "../driver-options.ts";
import { LakebaseError } from "../errors.ts";
import type { Lakebase } from "../lakebase.ts";
import { type PgPoolOptions, splitPgOptions } from "./driver-options.ts";
import { bindLakebaseClient, type ClientBinding, refuseNative } from "./lakebase-client.ts";

/** Options of {@link lakebasePool}: ours, and node-postgres' own beside them. */
export type LakebasePoolOptions = HandleOptions & PgPoolOptions;

/** Options for a pool that somebody else makes. Those that have a default are always there. */
export type LakebasePoolConfig = pg.PoolConfig & {
  [Key in keyof pg.PoolConfig & (keyof typeof defaults | "connectionTimeoutMillis" | "Client")]-?: Exclude<
    pg.PoolConfig[Key],
    undefined
  >;
};

/** Databricks ends a session that idles for 24 hours; scale-to-zero ends idle ones much earlier. */
const defaults = { max: 10, min: 0, idleTimeoutMillis: 30_000, maxLifetimeSeconds: 3600, keepAlive: true };

/** pg-pool would report the end of the same time limit as its own, and hide why it was reached. */
const poolTimerLeadMs = 10;
/** How long `end()` lets logins that have begun go on. */
const shutDownGraceMs = 1000;

/**
 * A node-postgres pool whose logins carry fresh tokens. It is a real `pg.Pool`: nothing of it is overridden but `end()`,
 * which may be called twice.
 */
export class LakebasePool extends pg.Pool {
  /** Drizzle tells a pool from a client by its class's name, which a minifier would change. */
  static override readonly name = "LakebasePool";
  /** The handle: yours, or the one made from the options. */
  readonly lakebase: Lakebase;
  readonly #ownsLakebase: boolean;
  readonly #shutDown: AbortController;
  #ended: Promise<void> | undefined;

  /**
   * @param adapter Name for the default application name, `x-lakebase-<adapter>/<version>`; for authors of adapters.
   * @param words What the adapter has to say about options; for them too.
   * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
   */
  constructor(options: LakebasePoolOptions = {}, adapter = "pg", words?: AdapterWords) {
    const shutDown = new AbortController();
    // Every connection that logs in listens to it, and a pool may have hundreds.
    setMaxListeners(0, shutDown.signal);
    const { config, lakebase, ownsLakebase } = configure(options, adapter, shutDown.signal, words);
    super(config);
    this.lakebase = lakebase;
    this.#ownsLakebase = ownsLakebase;
    this.#shutDown = shutDown;
    // pg-pool reads the lifetime for each connection; ones made together must not all end together.
    const { maxLifetimeSeconds } = config;
    Object.defineProperty(this.options, "maxLifetimeSeconds", {
      enumerable: true,
      get: () => spread(maxLifetimeSeconds),
    });
    // An idle connection that dies is replaced at the next query; its client has told it as an event.
    this.on("error", () => {});
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | undefined {
    this.#ended ??= this.#end();
    if (!callback) return this.#ended;
    void this.#ended.then(() => queueMicrotask(callback));
    return undefined;
  }

  async #end(): Promise<void> {
    const timer = setTimeout(() => {
      this.#shutDown.abort(new LakebaseError("ERR_LAKEBASE_ABORTED", "the pool was ended"));
    }, shutDownGraceMs);
    try {
      await super.end();
    } finally {
      clearTimeout(timer);
    }
    if (this.#ownsLakebase) await this.lakebase.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

/**
 * A node-postgres pool for Lakebase. Ending it is all there is to clean up; a handle given as `lakebase` stays yours.
 *
 * Defaults: `max` 10, `min` 0, `idleTimeoutMillis` 30 000, `maxLifetimeSeconds` 3600 ± 10 %, `keepAlive` on.
 *
 * @param adapter Name for the default application name; for authors of adapters.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebasePool } from "@x/lakebase-core/pg";
 *
 * const pool = lakebasePool({
 *   endpoint: "projects/shop/branches/production/endpoints/primary",
 *   applicationName: { isv: "acme" },
 *   max: 20,
 * });
 * const { rows } = await pool.query("select now()");
 * await pool.end();
 * ```
 */
export function lakebasePool(options: LakebasePoolOptions = {}, adapter = "pg"): LakebasePool {
  return new LakebasePool(options, adapter);
}

/**
 * The same as a plain options object, for libraries that make their own `pg.Pool`: it works with a second copy of `pg`,
 * which a pool object does not. The lifetime is spread once, for the whole pool.
 *
 * @param adapter Name for the default application name; for authors of adapters.
 * @param shutDown Its abort gives up logins that have begun; for a host whose own pool would wait for them when it ends.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebasePoolConfig } from "@x/lakebase-core/pg";
 * import pg from "pg";
 *
 * const pool = new pg.Pool(lakebasePoolConfig({ applicationName: "acme+lakebase" }));
 * pool.on("error", () => {}); // a pool of your own needs a listener of your own
 * ```
 */
export function lakebasePoolConfig(
  options: LakebasePoolOptions = {},
  adapter = "pg",
  shutDown?: AbortSignal,
): LakebasePoolConfig {
  const { config } = configure(options, adapter, shutDown);
  return { ...config, maxLifetimeSeconds: spread(config.maxLifetimeSeconds) };
}

/**
 * The same options on one handle, for an adapter whose host makes several pools of them, later: everything is checked, and
 * the handle that target and identity name stands in their place. It holds nothing that needs closing.
 *
 * @param words What the adapter has to say about options. `kind: "client"`: the host has a pool of its own, so a pool's
 * options are none here.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebasePool, shareHandle } from "@x/lakebase-core/pg";
 *
 * const shared = shareHandle({ applicationName: { isv: "acme" }, max: 20 }, "my-orm");
 * const writing = lakebasePool(shared, "my-orm");
 * const reading = lakebasePool({ ...shared, access: "read-only" }, "my-orm");
 * ```
 */
export function shareHandle(
  options: LakebasePoolOptions,
  adapter: string,
  { kind = "pool", ...words }: AdapterWords & { readonly kind?: "pool" | "client" } = {},
): OnLakebase & PgPoolOptions {
  const split = splitPgOptions(options, kind, words);
  return { ...split.scope, ...split.driver, lakebase: bindOptions(split, adapter).lakebase };
}

function configure(options: LakebasePoolOptions, adapter: string, shutDown?: AbortSignal, words?: AdapterWords) {
  refuseNative();
  const split = splitPgOptions(options, "pool", words);
  const { lakebase, ownsLakebase, handle, scope } = bindOptions(split, adapter);
  const binding: ClientBinding = { handle, scope, leadMs: poolTimerLeadMs, ...(shutDown ? { shutDown } : {}) };
  const config = {
    ...defaults,
    ...split.driver,
    connectionTimeoutMillis: scope.connectTimeoutMs,
    Client: bindLakebaseClient(binding, split.driver) as LakebasePoolConfig["Client"],
  } as LakebasePoolConfig;
  return { config, lakebase, ownsLakebase };
}
