import { setMaxListeners } from "node:events";
import postgres from "postgres";
import { bindOptions, type HandleOptions, spread } from "../driver-options.ts";
import { type CustomTypes, type PostgresJsOptions, splitPostgresJsOptions } from "./driver-options.ts";
import { holdSessions } from "./held-sessions.ts";
import { LoginStream, type StreamClient } from "./login-stream.ts";

/** Options of {@link lakebasePostgres}: ours, and postgres.js' own beside them. */
export type LakebasePostgresOptions<Types extends CustomTypes = Record<never, never>> = HandleOptions &
  PostgresJsOptions<Types>;

/** Databricks ends a session that idles for 24 hours; scale-to-zero ends idle ones much earlier. Seconds. */
const defaults = { max: 10, idle_timeout: 30, max_lifetime: 3600, keep_alive: 60 };

/**
 * A postgres.js client for Lakebase: the `sql` that `postgres()` returns, whose logins carry fresh tokens. `sql.end()` is
 * all there is to clean up; a handle given as `lakebase` stays yours.
 *
 * Defaults: `max` 10, `idle_timeout` 30 s, `max_lifetime` 3600 s ± 10 %, `keep_alive` 60 s; the rest is postgres.js' own.
 *
 * @param adapter Name for the default application name, `x-lakebase-<adapter>/<version>`; for authors of adapters.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options.
 * @example
 * ```ts
 * import { lakebasePostgres } from "@x/lakebase-core/postgres-js";
 *
 * const sql = lakebasePostgres({
 *   endpoint: "projects/shop/branches/production/endpoints/primary",
 *   applicationName: { isv: "acme" },
 *   max: 20,
 * });
 * const [row] = await sql`select now()`;
 * await sql.end();
 * ```
 */
export function lakebasePostgres<Types extends CustomTypes = Record<never, never>>(
  options: LakebasePostgresOptions<Types> = {},
  adapter = "postgres-js",
): ReturnType<typeof postgres<Types>> {
  const split = splitPostgresJsOptions(options);
  const { lakebase, ownsLakebase, handle, scope } = bindOptions(split, adapter);
  const { host = "unresolved.invalid", port, identity } = handle.config;
  const { max_lifetime, connection, ...driver } = { ...defaults, ...split.driver };

  const shutDown = new AbortController();
  // Every connection that logs in listens to it, and a client may have hundreds.
  setMaxListeners(0, shutDown.signal);
  const streams = new Set<LoginStream>();
  const client: StreamClient = {
    handle,
    scope,
    shutDown: shutDown.signal,
    onDial({ host, hostAddress, port, ssl }) {
      client.route = { host, hostAddress, port, ssl };
      // For the messages of postgres.js' own errors.
      sql.options.host[0] = host;
    },
    onClose(stream) {
      streams.delete(stream);
      lookIfGone();
    },
  };
  const own = {
    host,
    port,
    database: scope.database,
    // The stream puts the right one into the startup packet.
    user: identity.user || "unresolved",
    pass: () => client.challenged?.reveal() ?? "",
    ssl: false,
    // One bound covers the whole login, ours.
    connect_timeout: 0,
    // Of each connection; a function, as postgres.js' own default is.
    max_lifetime: () => spread(max_lifetime ?? 0),
    connection: { ...connection, application_name: scope.applicationName },
    socket() {
      const stream = new LoginStream(client);
      streams.add(stream);
      return stream;
    },
  };
  // A value that is harmless, because without one that of the environment counts; and then none.
  const { options: parsed } = postgres({ ...driver, ...own, target_session_attrs: "read-write" } as object);
  const sql = postgres<Types>({ ...parsed, target_session_attrs: undefined } as object);

  let lookIfGone = () => {};
  const driverEnd = sql.end;
  let ended: Promise<void> | undefined;
  const end: typeof sql.end = (how) => {
    ended ??= (async () => {
      const ending = driverEnd(how);
      const { untilGone } = await import("./dialling.ts");
      await untilGone(ending, shutDown, streams, (look) => {
        lookIfGone = look;
      });
      if (ownsLakebase) await lakebase.close();
    })();
    return ended;
  };
  return Object.assign(sql, { end, ...holdSessions(sql, client, streams) });
}
