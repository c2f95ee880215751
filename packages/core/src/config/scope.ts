import { parseApplicationName } from "../application-name.ts";
import { type LakebaseOptions, type PoolScope, poolScopeKeys, unknownOptionProblems } from "../options.ts";
import { ConfigReader, clash } from "./reader.ts";

/** {@link PoolScope} with its defaults. */
export interface ResolvedScope {
  readonly database: string;
  /** Only what was chosen by option or environment: defaults differ by adapter. */
  readonly applicationName: string | undefined;
  readonly access: "read-write" | "read-only";
  readonly connectTimeoutMs: number;
}

const maxTimerMs = 2 ** 31 - 1;
const defaults: ResolvedScope = {
  database: "databricks_postgres",
  applicationName: undefined,
  access: "read-write",
  connectTimeoutMs: 30_000,
};

/**
 * The scope of one pool on a handle: its own choices over the handle's.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG`
 */
export function resolveScope(base: ResolvedScope, own: PoolScope): ResolvedScope {
  const known = Object.fromEntries(Object.entries(own).filter(([key]) => poolScopeKeys.includes(key)));
  const reader = new ConfigReader(known as LakebaseOptions, {});
  for (const { option, message } of unknownOptionProblems(own, poolScopeKeys)) reader.problem(option, message);
  const scope = readScope(reader, base);
  reader.throwProblems();
  return scope;
}

export function readScope(reader: ConfigReader, base = defaults): ResolvedScope {
  const { options, url } = reader;
  const database =
    (reader.optionOrUrl("database") ?? reader.variable("PGDATABASE", "database"))?.value ?? base.database;
  if (database.includes("\0")) reader.problem("database", "holds a control character", "PGDATABASE");

  if (
    url.applicationName !== undefined &&
    ![undefined, url.applicationName].includes(options.applicationName as string)
  ) {
    reader.problem("applicationName", clash);
  }
  const variable = reader.variable("PGAPPNAME", "applicationName");
  const name = url.applicationName ?? options.applicationName ?? variable?.value;
  const parsed = name === undefined ? { value: base.applicationName } : parseApplicationName(name);
  if ("problem" in parsed) {
    const chosen = url.applicationName ?? options.applicationName;
    reader.problem("applicationName", parsed.problem, chosen === undefined ? variable?.variable : undefined);
  }

  const { access = base.access, connectTimeoutMs = base.connectTimeoutMs } = options;
  if (access !== "read-write" && access !== "read-only") {
    reader.problem("access", 'must be "read-write" or "read-only"');
  }
  reader.wholeNumber("connectTimeoutMs", connectTimeoutMs, 1, maxTimerMs);
  return Object.freeze({
    database,
    applicationName: "value" in parsed ? parsed.value : undefined,
    access,
    connectTimeoutMs,
  });
}
