import type { ConnectionSettings } from "@x/lakebase-core";

/**
 * Settings as a `postgresql://` URL that libpq, node-postgres and postgres.js all verify TLS with. It names no
 * certificate file and no address: postgres.js sends every parameter that it does not know to the server, which refuses
 * the login then. libpq finds both in its variables.
 */
export function connectionUrl(settings: ConnectionSettings): string {
  const { host, port, database, user, password, applicationName } = settings;
  const name = host.includes(":") ? `[${host}]` : host;
  return [
    `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password.reveal())}`,
    `@${name}:${port}/${encodePath(database)}`,
    `?sslmode=verify-full&application_name=${encodeURIComponent(applicationName)}`,
  ].join("");
}

/** node-postgres decodes a path by `decodeURI`, which leaves what `encodeURI` would not have encoded. */
function encodePath(database: string): string {
  return encodeURI(database).replaceAll(/[?#]/g, encodeURIComponent);
}
