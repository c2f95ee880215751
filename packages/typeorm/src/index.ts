import type { PoolScope } from "@x/lakebase-core";
import { LakebasePool, type LakebasePoolOptions, shareHandle, takeOut } from "@x/lakebase-core/pg";
import pg from "pg";
import { besideOurs, hints, type LakebaseReplication, otherwise, replicationVerdicts } from "./words.ts";

export type { LakebaseReplication } from "./words.ts";

/** Options of {@link lakebaseDataSourceOptions}: those of `lakebasePool`, and what is read on the read-only host. */
export type LakebaseTypeormOptions = LakebasePoolOptions &
  ({ replication?: undefined } | { replication: LakebaseReplication; access?: undefined });

/** What TypeORM takes for node-postgres. */
export interface LakebaseDriver {
  /** TypeORM makes its pools of it. */
  readonly Pool: { new (options: object): LakebasePool };
  /** Where TypeORM sets `parseInt8`: node-postgres knows it for the whole process. */
  readonly defaults: { parseInt8: boolean };
  /** Ends all pools made from these options, also those of an `initialize()` that failed or that still waits. */
  end(): Promise<void>;
}

/** What to spread into the options of a data source. */
export interface LakebaseDataSourceOptions {
  readonly type: "postgres";
  readonly driver: LakebaseDriver;
  readonly ssl: { readonly rejectUnauthorized: true };
  readonly replication?: {
    readonly master: Pick<LakebaseDataSourceOptions, "ssl">;
    readonly slaves: Pick<LakebaseDataSourceOptions, "ssl">[];
    readonly defaultMode?: "master" | "slave";
  };
}

/**
 * Options for a TypeORM data source whose logins carry fresh tokens. TypeORM's own stand beside them as ever, among them
 * `poolSize`, `connectTimeoutMS` and, in `extra`, node-postgres' options of a pool. What this library sets (`url`, `host`,
 * `port`, `username`, `password`, `database`, `ssl`, `applicationName`) is refused there, by `initialize()`.
 * `dataSource.destroy()` ends the pools and is all there is to clean up; a `lakebase` that you give stays yours.
 *
 * Options and defaults are those of `lakebasePool` of `@x/lakebase-core/pg`; only the default application name differs,
 * `x-lakebase-typeorm/<version>`.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
 * import { DataSource } from "typeorm";
 *
 * const dataSource = new DataSource({
 *   ...lakebaseDataSourceOptions({ applicationName: { isv: "acme" } }),
 *   poolSize: 20,
 * });
 * await dataSource.initialize();
 * await dataSource.query("select 1");
 * await dataSource.destroy();
 * ```
 */
export function lakebaseDataSourceOptions(options: LakebaseTypeormOptions = {}): LakebaseDataSourceOptions {
  const [{ replication }, ours] = takeOut<{ replication?: LakebaseReplication }, LakebasePoolOptions>(
    options as object,
    "replication",
  );
  const own = shareHandle(ours, "typeorm", { hints, otherwise, verdicts: replicationVerdicts(replication, ours) });
  // TypeORM hands a pool nothing but credentials, so it is the identity of `ssl` that tells which pool it is.
  const [ssl, sslOfSlave] = [verified(), verified()];
  const scopes = new Map<unknown, PoolScope>([
    [ssl, replication ? { access: "read-write" } : {}],
    [sslOfSlave, { access: "read-only" }],
  ]);
  // TypeORM forgets a pool whose first login failed, and so must we.
  const pools = new Set<WeakRef<LakebasePool>>();
  const driver: LakebaseDriver = {
    Pool: class extends LakebasePool {
      constructor(given: { ssl?: unknown }) {
        const [beside, words] = besideOurs(given, own, scopes.has(given.ssl));
        super({ ...own, ...beside, ...scopes.get(given.ssl) }, "typeorm", words);
        for (const pool of pools) if (pool.deref()?.ended ?? true) pools.delete(pool);
        pools.add(new WeakRef(this));
      }
    },
    defaults: {
      set parseInt8(parse: boolean) {
        pg.defaults.parseInt8 = parse;
      },
    },
    async end() {
      await Promise.all([...pools].map((pool) => pool.deref()?.end()));
    },
  };
  if (!replication) return { type: "postgres", driver, ssl };
  const { slaves, defaultMode } = replication;
  const replicas = { master: { ssl }, slaves: slaves.map(() => ({ ssl: sslOfSlave })) };
  return { type: "postgres", driver, ssl, replication: { ...replicas, ...(defaultMode && { defaultMode }) } };
}

function verified() {
  return Object.freeze({ rejectUnauthorized: true as const });
}
