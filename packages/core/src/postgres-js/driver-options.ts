import type postgres from "postgres";
import { type DriverWords, give, type HandleOptions, type SplitOptions, splitOptions } from "../driver-options.ts";

const optionKeys = [
  "max",
  "idle_timeout",
  "max_lifetime",
  "keep_alive",
  "backoff",
  "types",
  "transform",
  "prepare",
  "fetch_types",
  "connection",
  "publications",
  "debug",
  "onnotice",
  "onparameter",
  "onclose",
] as const satisfies (keyof postgres.Options<CustomTypes>)[];

export type CustomTypes = Record<string, postgres.PostgresType>;

/** postgres.js' own options, without those that this library sets. Its times are in seconds. */
export type PostgresJsOptions<Types extends CustomTypes> = Omit<
  Pick<postgres.Options<Types>, (typeof optionKeys)[number]>,
  "connection"
> & {
  /** Parameters of the startup packet, such as `statement_timeout`. */
  connection?:
    | (postgres.Options<Types>["connection"] & { [Key in (typeof ownParameters)[number]]?: never })
    | undefined;
  /** Statements that may wait on one connection. Default 100. */
  max_pipeline?: number | undefined;
};

/** Parameters of the startup packet that are ours. */
const ownParameters = ["user", "database", "application_name"] as const;

const ours = "is set by this library";
const words: DriverWords = {
  keys: [...optionKeys, "max_pipeline"],
  lifetime: "max_lifetime",
  hints: {
    connect_timeout: give("connectTimeoutMs"),
    hostname: give("host"),
    db: give("database"),
    username: give("user"),
    pass: give("password"),
    path: "is not for Lakebase, which is reached by TCP",
    socket: ours,
    sslnegotiation: ours,
    target_session_attrs: give("access"),
    timeout: "is `idle_timeout`",
    no_prepare: "is `prepare: false`",
    application_name: give("applicationName"),
  },
};

/** @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the options are none at all. */
export function splitPostgresJsOptions<Types extends CustomTypes>(
  options: HandleOptions & PostgresJsOptions<Types>,
): SplitOptions<PostgresJsOptions<Types>> {
  const parameters: Partial<Record<string, unknown>> = options?.connection ?? {};
  const verdicts = Object.fromEntries(
    ownParameters.map((key) => [
      `connection.${key}`,
      parameters[key] !== undefined && give(key === "application_name" ? "applicationName" : key),
    ]),
  );
  return splitOptions<PostgresJsOptions<Types>>(options, { ...words, verdicts });
}
