import { Socket } from "node:net";
import pg from "pg";
import type { ConnectionSettings } from "../handle.ts";
import type { PgClientOptions } from "./driver-options.ts";

export { refuseForeignOptions } from "./foreign-options.ts";
export { followSession } from "./session.ts";

/**
 * The parts of node-postgres' client that a second login has to set back. The same code passed on pg 8.7 to 8.23; the
 * contract runs on the oldest and the newest that we support.
 */
export interface ClientInside {
  _connecting: boolean;
  _connected: boolean;
  _connectionError: boolean;
  _queryable: boolean;
  _ended: boolean;
  _errorAllQueries(error: Error): void;
  connection: ConnectionInside;
  connectionParameters: Record<string, unknown>;
  password: string | null;
  user: string;
  database: string;
  host: string;
  port: number;
  ssl: object;
  /** `direct`: TLS without asking for it first. Older ones do not know it. */
  sslNegotiation?: string;
}

export type ConnectionInside = pg.Connection & { stream: Socket };
type ConnectionConstructor = new (config: object) => ConnectionInside;
type Listener = readonly [name: string | symbol, listener: (...args: unknown[]) => void];

/** What a client has for its dials. */
export interface DiallingClient {
  readonly inside: ClientInside;
  /** node-postgres' own options, of which a new connection needs some again. */
  readonly driver: PgClientOptions;
  /** Listeners that somebody put on the connection before connecting, such as Sequelize's. */
  foreignListeners?: readonly Listener[];
  /** node-postgres' own `connect`. */
  connect(callback: (error?: Error | null) => void): void;
}

/** node-postgres' words for a socket that was closed before the login was done. */
const closedEarly = "Connection terminated unexpectedly";

/**
 * One dial.
 *
 * @param onLoggedIn Runs inside node-postgres' own callback, before any message that came with it is handled.
 */
export function dial(
  client: DiallingClient,
  settings: ConnectionSettings,
  signal: AbortSignal,
  onLoggedIn: (connection: ConnectionInside) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { inside } = client;
    const socket = dialler(settings.hostAddress);
    const connection = prepare(client, settings, socket);
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      socket.removeListener("close", onClose);
      // The token has done its work; it must not be found on a client that lives for an hour.
      inside.password = null;
      inside.connectionParameters.password = null;
    };
    const fail = (error: unknown) => {
      settle();
      discard(connection);
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    // Before node-postgres hears of it: to it the client would have ended, and this may not be the last dial.
    const onClose = () => fail(new Error(closedEarly));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("close", onClose);
    client.connect((error) => {
      if (error) return fail(error);
      settle();
      resolve();
      onLoggedIn(connection);
    });
  });
}

/** Sets back what a dial before this one has left, and puts the settings where node-postgres reads them. */
function prepare(client: DiallingClient, settings: ConnectionSettings, socket: Socket): ConnectionInside {
  const { host, port, user, database, applicationName, ssl } = settings;
  const { inside, driver } = client;
  client.foreignListeners ??= listenersOf(inside.connection);
  inside._connecting = false;
  inside._connectionError = false;
  const password = settings.password.reveal();
  // The socket and TLS read the client's fields, the startup packet reads the parameters.
  Object.assign(inside, { host, port, user, database, ssl, password });
  Object.assign(inside.connectionParameters, { host, port, user, database, ssl, application_name: applicationName });
  inside.connectionParameters.password = password;
  inside.connectionParameters.options = driver.options ?? settings.options;
  const Connection = pg.Connection as unknown as ConnectionConstructor;
  discard(inside.connection);
  const { sslNegotiation } = inside;
  const connection = new Connection({
    keepAlive: driver.keepAlive ?? true,
    keepAliveInitialDelayMillis: driver.keepAliveInitialDelayMillis ?? 0,
    encoding: driver.client_encoding ?? "utf8",
    ssl,
    sslNegotiation,
    stream: socket,
  });
  for (const [name, listener] of client.foreignListeners) connection.on(name, listener);
  inside.connection = connection;
  return connection;
}

function listenersOf(connection: ConnectionInside): Listener[] {
  return connection
    .eventNames()
    .filter((name) => name !== "newListener")
    .flatMap((name) => connection.rawListeners(name).map((listener) => [name, listener] as [string, () => void]));
}

/** Ends a connection that is not wanted any more, so that nothing of it reaches the client or stays open. */
function discard(connection: ConnectionInside): void {
  connection.removeAllListeners();
  connection.on("error", () => {});
  connection.stream.on("error", () => {});
  connection.stream.destroy();
}

/** A socket that dials another address than the host that TLS verifies. */
function dialler(hostAddress: string | undefined): Socket {
  const socket = new Socket();
  if (hostAddress === undefined) return socket;
  const connect = socket.connect.bind(socket) as (port: number, host: string) => Socket;
  return Object.assign(socket, { connect: (port: number) => connect(port, hostAddress) });
}
