import type { ConfigProblem, PoolScope } from "@x/lakebase-core";
import { type LakebasePoolOptions, poolOptionKeys, shareHandle } from "@x/lakebase-core/pg";
import { inOneError } from "./one-error.ts";

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

/** The options of one pool: ours, and what TypeORM gives its driver, which is its own options with `extra` over them. */
export function poolOptions(
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
