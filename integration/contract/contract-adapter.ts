import type { Lakebase, LakebaseOptions, PoolScope } from "@x/lakebase-core";
import type { PgPoolOptions } from "@x/lakebase-core/pg";

/** What the contract asks of a host, in words that every host has. */
export interface OpenAdapter {
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Runs statements in one transaction; a rejection rolls back. */
  transaction<T>(run: (tx: OpenTransaction) => Promise<T>): Promise<T>;
  /** Ends the host's own pool, as its users do. */
  end(): Promise<void>;
  /** Everything that a user can reach and print. */
  readonly visible: unknown;
}

export interface OpenTransaction {
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Runs statements under a savepoint; a rejection rolls back to it. */
  savepoint<T>(run: (tx: OpenTransaction) => Promise<T>): Promise<T>;
}

/** The options by which the contract opens an adapter. */
export type ContractOptions =
  | (LakebaseOptions & { lakebase?: never } & Pick<PgPoolOptions, PoolChoices>)
  | ({ lakebase: Lakebase } & PoolScope & Pick<PgPoolOptions, PoolChoices>);

type PoolChoices = "max" | "min" | "idleTimeoutMillis" | "maxLifetimeSeconds" | "maxUses";

/** One member of the contract. */
export interface ContractAdapter {
  /** As in `x-lakebase-<name>/<version>`. */
  readonly name: string;
  open(options: ContractOptions): OpenAdapter;
  /** What the host has no word for. Declared, so that nothing is left out in silence. */
  readonly lacks?: readonly Capability[];
}

export type Capability = "savepoints";
