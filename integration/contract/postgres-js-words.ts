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
