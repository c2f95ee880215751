import type { LakebaseOptions } from "@x/lakebase-core";
import {
  type LakebasePool,
  type LakebasePoolOptions,
  lakebasePool,
  type PgPoolOptions,
  refuseOptions,
  takeOut,
} from "@x/lakebase-core/pg";
import { PostgresDialect, type PostgresDialectConfig, type PostgresPool } from "kysely";

/** What Kysely's Postgres dialect takes beside a pool. The client for cancelling is the pool's own kind. */
type KyselyOptions = Omit<PostgresDialectConfig, "pool" | "controlClient">;

/** A pool that you made and will end: target, identity and everything else of a pool was settled there. */
type OnPool = { pool: LakebasePool } & {
  [Key in keyof LakebaseOptions | keyof PgPoolOptions | "lakebase"]?: never;
};

/** Options of {@link LakebaseDialect}: those of `lakebasePool`, or a pool; and Kysely's own beside them. */
export type LakebaseDialectOptions = KyselyOptions & ((LakebasePoolOptions & { pool?: never }) | OnPool);

/**
 * Kysely's Postgres dialect on a pool whose logins carry fresh tokens. `db.destroy()` ends that pool, and is all there is
 * to clean up; a `pool` or a `lakebase` that you give stays yours.
 *
 * Options and defaults are those of `lakebasePool` of `@x/lakebase-core/pg`; only the default application name differs,
 * `x-lakebase-kysely/<version>`. Kysely's own stand beside them: `onCreateConnection`, `onReserveConnection`, and `cursor`,
 * the class that `pg-cursor` exports, without which Kysely does not stream.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { LakebaseDialect } from "@x/lakebase-kysely";
 * import { Kysely, sql } from "kysely";
 *
 * const db = new Kysely({ dialect: new LakebaseDialect({ applicationName: { isv: "acme" }, max: 20 }) });
 * await sql`select 1`.execute(db);
 * await db.destroy();
 * ```
 */
export class LakebaseDialect extends PostgresDialect {
  constructor(options: LakebaseDialectOptions = {}) {
    const [{ pool, ...own }, ours] = takeOut<
      Partial<PostgresDialectConfig> & { pool?: LakebasePool },
      LakebasePoolOptions
    >(options, ...(["pool", "cursor", "onCreateConnection", "onReserveConnection"] as const));
    super({ ...own, pool: pool === undefined ? lakebasePool(ours, "kysely") : lend(pool, ours) });
  }
}

/** The pool with an `end()` that leaves it to its owner. */
function lend(pool: LakebasePool, others: object): PostgresPool {
  const besides = Object.entries(others).filter(([, value]) => value !== undefined);
  refuseOptions({
    ...Object.fromEntries(besides.map(([option]) => [option, "cannot stand beside `pool`"])),
    pool: !pool?.lakebase && "must be made by lakebasePool()",
  });
  const { Client, options }: PostgresPool = pool;
  return { ...(Client && { Client }), options, connect: () => pool.connect(), end: async () => {} };
}
