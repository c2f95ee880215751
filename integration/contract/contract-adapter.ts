import type { Lakebase, LakebaseOptions, PoolScope } from "@x/lakebase-core";
import type { PgPoolOptions } from "@x/lakebase-core/pg";

/** A row as its host returns it: by column name. */
export type Row = Record<string, unknown>;

/**
 * What the contract asks of a host, in words that every host has. Each method is written as a user of that host would
 * write it, and changes nothing of what the host answers: the contract compares it with the host's own.
 */
export interface OpenAdapter extends Partial<Capabilities> {
  /**
   * One statement by the host's own way for raw SQL; parameters stand as `$1`, `$2`, … in their order, each once. No column
   * is of type `void`, which Prisma cannot read.
   */
  query(sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** Runs statements in one transaction; a rejection rolls back. */
  transaction<T>(run: (tx: OpenTransaction) => Promise<T>): Promise<T>;
  /** Ends the host's own pool, as its users do. */
  end(): Promise<void>;
  /** Everything that a user can reach and print. */
  readonly visible: unknown;
  /** The whole answer of the host's own call, where that is more than rows. */
  answer?(sql: string, parameters?: unknown[]): Promise<unknown>;
}

export interface OpenTransaction {
  query(sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** Runs statements under a savepoint; a rejection rolls back to it. Absent where the host lacks "savepoints". */
  savepoint?<T>(run: (tx: OpenTransaction) => Promise<T>): Promise<T>;
}

/** What not every host has a word for. A member names those that its host has not, with the reason, in `lacks`. */
export interface Capabilities {
  /** Rows one after the other, few of them held at a time. Ending the loop early ends the statement too. */
  stream(sql: string): AsyncIterable<Row>;
  /** Runs a statement that is cancelled at the server when the signal is aborted, and rejects then. */
  cancellable(sql: string, signal: AbortSignal): Promise<unknown>;
  /** Runs a statement that the server keeps under this name. */
  prepared(name: string, sql: string, parameters: unknown[]): Promise<Row[]>;
  /** `copy … from stdin` with this text. */
  copyIn(sql: string, text: string): Promise<void>;
  /** `copy … to stdout`, all of it. */
  copyOut(sql: string): Promise<string>;
  /** Is told the payloads on a channel until the function that it resolves to is called. */
  listen(channel: string, onPayload: (payload: string) => void): Promise<() => Promise<void>>;
  /** Several statements in one text; only their effects count. */
  script(sql: string): Promise<void>;
  /** Runs a statement, and gives the notices that the server sent with it. */
  notices(sql: string): Promise<unknown[]>;
  /**
   * The host's own migrator with one migration, which makes the table `name` (`id int`) and adds the row 1, or drops the
   * table; its bookkeeping is to be named after the table too.
   */
  migrator(name: string): { up(): Promise<void>; down?(): Promise<void> };
}

export type Capability =
  | keyof Capabilities
  | "savepoints"
  | "migrations down"
  | "lifetime"
  | "prompt end"
  | "lasting end"
  | "clean results after an error";

/** The options by which the contract opens a member: ours, and a pool's in node-postgres' words, for the member to map. */
export type ContractOptions = PoolChoices &
  ((LakebaseOptions & { lakebase?: never }) | ({ lakebase: Lakebase } & PoolScope));
export type PoolChoices = Pick<PgPoolOptions, "max" | "min" | "idleTimeoutMillis" | "maxLifetimeSeconds">;

/** One member of the contract: a host, and how its users connect it to Lakebase. */
export interface ContractAdapter {
  /** As in the table of results. */
  readonly name: string;
  /** As in `x-lakebase-<adapter>/<version>`, the name of last resort. */
  readonly defaultName: string;
  /** npm packages whose versions stand in the table of results: the host's, and its driver's. */
  readonly packages: readonly string[];
  open(options: ContractOptions): OpenAdapter;
  /** The host as its own documentation has it, without this library, on a plain Postgres. */
  openPlain(url: string): OpenAdapter;
  /** Options of the host that this library sets itself, or values that it must not have: `open` with any of them throws. */
  readonly refuses: Readonly<Record<string, unknown>>;
  /** What the host has no word for, and why. Declared, so that nothing is left out in silence. */
  readonly lacks: Readonly<Partial<Record<Capability, string>>>;
}
