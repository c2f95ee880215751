import {
  type AdapterWords,
  type LakebasePoolOptions,
  lakebaseOptionKeys,
  type PgPoolOptions,
  type Verdicts,
} from "@x/lakebase-core/pg";

/** TypeORM's replication: writes go to the target's read-write host, reads to its read-only host. */
export interface LakebaseReplication {
  /** A pool each, all on the same read-only host: it stands for all readable secondaries, so one is enough. */
  slaves: readonly { access: "read-only" }[];
  /** Where TypeORM reads when nothing else is said. Its own default is `"slave"`. */
  defaultMode?: "master" | "slave" | undefined;
}

export const hints = {
  url: "give `connectionString`",
  username: "give `user`",
  connectTimeoutMS: "give `connectTimeoutMs`",
};
export const otherwise =
  "is not an option; what is TypeORM's own stands beside, { ...lakebaseDataSourceOptions(…), … }";

export function replicationVerdicts(replication: unknown, ours: LakebasePoolOptions): Verdicts {
  if (replication === undefined) return {};
  const isObject = Object(replication) === replication;
  const { slaves, defaultMode = "master", ...others } = (isObject ? replication : {}) as LakebaseReplication;
  const isSlave = (slave: unknown) => JSON.stringify(slave) === '{"access":"read-only"}';
  return {
    ...Object.fromEntries(Object.keys(others).map((key) => [`replication.${key}`, "is not an option"])),
    "replication.slaves":
      !(Array.isArray(slaves) && slaves.every(isSlave)) &&
      'must be a list of { access: "read-only" }; another target needs its own data source',
    "replication.defaultMode": !["master", "slave"].includes(defaultMode) && 'must be "master" or "slave"',
    access: ours?.access !== undefined && "is decided by `replication`; give one of them",
  };
}

/** TypeORM's names for what it gives its driver; all else stands in `extra`. */
const names = new Map([
  ...["host", "port", "password", "database", "ssl"].map((same) => [same, same] as const),
  ["connectionString", "url"],
  ["user", "username"],
  ["application_name", "applicationName"],
  ["max", "poolSize"],
  ["connectTimeoutMs", "connectTimeoutMS"],
]);
const ours = new Set(["lakebase", "application_name", ...lakebaseOptionKeys]);
ours.delete("connectTimeoutMs");

/**
 * What TypeORM gives its driver for one pool, which is its own options with `extra` over them, as options of ours.
 *
 * @param known Whether its `ssl` is one that we have given out.
 */
export function besideOurs(
  { ssl, connectionTimeoutMillis: connectTimeoutMs, ...given }: { ssl?: unknown; connectionTimeoutMillis?: number },
  own: object,
  known: boolean,
): [PgPoolOptions, AdapterWords] {
  const verdicts: Record<string, string | false> = {
    replication: ssl === undefined && "must be given to lakebaseDataSourceOptions()",
  };
  const before: Record<string, unknown> = { ...own };
  const beside: Record<string, unknown> = {};
  for (const [key, value] of Object.entries({ connectTimeoutMs, ...(!known && { ssl }), ...given })) {
    if (value === undefined) continue;
    const word = key === "application_name" ? "applicationName" : key;
    if (ours.has(key))
      verdicts[key] = `is set by this library, also in \`extra\`; give \`${word}\` to lakebaseDataSourceOptions()`;
    else if (before[key] !== undefined && before[key] !== value)
      verdicts[key] = "is also given to lakebaseDataSourceOptions(); give it once";
    else beside[key] = value;
  }
  const name = (option: string) => names.get(option) ?? (option in given ? `extra.${option}` : option);
  return [beside, { verdicts, name }];
}
