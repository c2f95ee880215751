import type { LakebasePostgresOptions } from "@x/lakebase-postgres-js";
import type postgres from "postgres";
import type { ContractOptions } from "./contract-adapter.ts";

/** The contract's options in the words of postgres.js, whose times are in seconds. */
export function toPostgresJs(options: ContractOptions): LakebasePostgresOptions {
  const { idleTimeoutMillis, maxLifetimeSeconds, ...others } = options;
  return {
    ...others,
    ...(idleTimeoutMillis == null ? {} : { idle_timeout: idleTimeoutMillis / 1000 }),
    ...(maxLifetimeSeconds === undefined ? {} : { max_lifetime: maxLifetimeSeconds }),
  } as LakebasePostgresOptions;
}

/** The parts of a URL with a socket's folder as its host, which postgres.js takes as options only. */
export function plainOptions(url: string): postgres.Options<Record<never, never>> {
  const { username, password, pathname, searchParams } = new URL(url);
  return {
    // Temporary tables and settings are a connection's, and postgres.js takes its connections in turn.
    max: 1,
    host: searchParams.get("host") ?? undefined,
    port: Number(searchParams.get("port") ?? 5432),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  };
}

/** Seen with postgres.js alone, up to 3.4.9. */
export const holes =
  "postgres.js begins the next result of a connection with as many empty places as a failed one before it had rows";

export const refuses = {
  socket: () => {},
  pass: "x",
  username: "x",
  connect_timeout: 5,
  target_session_attrs: "read-write",
  connection: { application_name: "x" },
  max_lifetime: 2_147_484,
};

type Result = readonly object[] & Pick<postgres.ResultQueryMeta<number, string>, "command" | "count" | "columns">;

/** What of a result can be compared: not the connection's process, nor the names that postgres.js invents. */
export function visibleResult(result: Result) {
  const { command, count, columns } = result;
  const described = columns?.map(({ name, type, table, number }) => ({ name, type, table, number }));
  return { command, count, columns: described, rows: result.map((row) => row) };
}
