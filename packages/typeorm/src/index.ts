import { type ConfigProblem, configError, isLakebaseError, type PoolScope } from "@x/lakebase-core";
import { LakebasePool, type LakebasePoolOptions, poolOptionKeys, shareHandle } from "@x/lakebase-core/pg";
import pg from "pg";

/** Options of {@link lakebaseDataSourceOptions}: those of `lakebasePool`, and what is read on the read-only host. */
export type LakebaseTypeormOptions = LakebasePoolOptions & { replication?: LakebaseReplication | undefined };

/** TypeORM's replication: writes go to the target's read-write host, reads to its read-only host. */
export interface LakebaseReplication {
  /** A pool each. One is enough: Lakebase itself spreads connections over the readable secondaries. */
  slaves: readonly { access: "read-only" }[];
  /** Where TypeORM reads when nothing else is said. Its own default is `"slave"`. */
  defaultMode?: "master" | "slave" | undefined;
}

/** What TypeORM takes for node-postgres. */
export interface LakebaseDriver {
  /** TypeORM makes its pools of it. */
  readonly Pool: new (
    options: object,
  ) => LakebasePool;
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

/** What the driver gets that is ours: its name there, in TypeORM's options, and in ours. */
const owned = new Map([
  ["connectionString", ["url", "connectionString"]],
  ["host", ["host", "host"]],
  ["port", ["port", "port"]],
  ["user", ["username", "user"]],
  ["password", ["password", "password"]],
  ["database", ["database", "database"]],
  ["ssl", ["ssl", "ssl.ca"]],
  ["application_name", ["applicationName", "applicationName"]],
]);
/** TypeORM's names for what the driver gets that is the user's; all else stands in `extra`. */
const named: Record<string, string> = { max: "poolSize", connectTimeoutMs: "connectTimeoutMS" };

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
  const { replication, ...rest } = options;
  const own = inOneError(replicationProblems(options), () => shareHandle(rest, "typeorm"));
  // TypeORM hands a pool nothing but credentials, so it is the identity of `ssl` that tells which pool it is.
  const [ssl, sslOfSlave] = [verified(), verified()];
  const scopes = new Map<unknown, PoolScope>([
    [ssl, replication ? { access: "read-write" } : {}],
    [sslOfSlave, { access: "read-only" }],
  ]);
  const pools = new Set<LakebasePool>();
  const driver: LakebaseDriver = {
    Pool: class extends LakebasePool {
      static override readonly name = "LakebasePool";

      constructor(given: object) {
        super(poolOptions(own, scopes, given), "typeorm");
        for (const pool of pools) if (pool.ended) pools.delete(pool);
        pools.add(this);
      }
    },
    defaults: {
      set parseInt8(parse: boolean) {
        pg.defaults.parseInt8 = parse;
      },
    },
    async end() {
      await Promise.all([...pools].map((pool) => pool.end()));
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

function replicationProblems({ replication, access }: LakebaseTypeormOptions): ConfigProblem[] {
  if (replication === undefined) return [];
  const { slaves, defaultMode, ...others } = Object(replication) as LakebaseReplication;
  const problems = Object.keys(others).map((key) => ({ option: `replication.${key}`, message: "is not an option" }));
  const isSlave = (slave: unknown) => JSON.stringify(slave) === '{"access":"read-only"}';
  if (!Array.isArray(slaves) || !slaves.every(isSlave)) {
    const message =
      'must be a list of { access: "read-only" }, which is the same target; another needs its own data source';
    problems.push({ option: "replication.slaves", message });
  }
  if (![undefined, "master", "slave"].includes(defaultMode)) {
    problems.push({ option: "replication.defaultMode", message: 'must be "master" or "slave"' });
  }
  if (access !== undefined)
    problems.push({ option: "access", message: "is decided by `replication`; give one of them" });
  return problems;
}

/** The options of one pool: ours, and what TypeORM gives its driver, which is its own options with `extra` over them. */
function poolOptions(
  own: LakebasePoolOptions,
  scopes: ReadonlyMap<unknown, PoolScope>,
  given: { ssl?: unknown },
): LakebasePoolOptions {
  const scope = scopes.get(given.ssl);
  const problems: ConfigProblem[] = [];
  if (given.ssl === undefined) {
    const message = "must be given to lakebaseDataSourceOptions()";
    problems.push({ option: "replication", message });
  }
  const taken: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || (key === "ssl" && scope)) continue;
    const [theirs, ours] = owned.get(key) ?? [];
    const option = key === "connectionTimeoutMillis" ? "connectTimeoutMs" : key;
    const before = (own as Record<string, unknown>)[option];
    if (theirs) {
      const message = `is set by this library, also in \`extra\`; give \`${ours}\` to lakebaseDataSourceOptions()`;
      problems.push({ option: theirs, message });
    } else if (option === key && !(poolOptionKeys as readonly string[]).includes(key)) {
      problems.push({ option: `extra.${key}`, message: "is not an option" });
    } else if (before !== undefined && before !== value) {
      problems.push({
        option: inTypeorm(option),
        message: "is also given to lakebaseDataSourceOptions(); give it once",
      });
    } else taken[option] = value;
  }
  const name = (option: string) => (option in taken ? inTypeorm(option) : option);
  return inOneError(
    problems,
    () => shareHandle({ ...own, ...taken, ...scope } as LakebasePoolOptions, "typeorm"),
    name,
  );
}

function inTypeorm(option: string): string {
  return named[option] ?? `extra.${option}`;
}

/** What `make` answers; or one error with its problems and those that were found before. */
function inOneError<T>(problems: readonly ConfigProblem[], make: () => T, name = (option: string) => option): T {
  let answer: T;
  try {
    answer = make();
  } catch (error) {
    if (!isLakebaseError(error) || !error.problems) throw error;
    const all = [...problems, ...error.problems.map((problem) => ({ ...problem, option: name(problem.option) }))];
    throw configError(all, problems.length === 0 ? error.code : undefined);
  }
  if (problems.length > 0) throw configError(problems);
  return answer;
}
