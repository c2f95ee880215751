import { Socket } from "node:net";
import pg from "pg";
import type { ResolvedScope } from "../config/scope.ts";
import { bindOptions, type HandleOptions } from "../driver-options.ts";
import { type ConfigProblem, configError, LakebaseError } from "../errors.ts";
import type { ConnectionSettings } from "../handle.ts";
import type { HandleInternals } from "../lakebase.ts";
import { foreignOptionProblems, type PgClientOptions, splitPgOptions } from "./driver-options.ts";

/** Options of {@link LakebaseClient}: ours, and node-postgres' own beside them. */
export type LakebaseClientOptions = HandleOptions & PgClientOptions;

/** What a client logs in with, decided before it is made. */
export interface ClientBinding {
  readonly handle: HandleInternals;
  readonly scope: ResolvedScope;
  /** How much earlier than `connectTimeoutMs` a login gives up, so that a pool's own timer does not hide the reason. */
  readonly leadMs?: number;
  /** Aborted when the pool is shut down and has waited long enough for logins. */
  readonly shutDown?: AbortSignal;
}

const bindingKey = Symbol("binding");

/** node-postgres' words for a socket that was closed before the login was done. */
const closedEarly = "Connection terminated unexpectedly";

/**
 * The parts of node-postgres' client that a second login has to set back. The same code passed on pg 8.7 to 8.23; the
 * contract runs on the oldest and the newest that we support.
 */
interface ClientInside {
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
}

type ConnectionInside = pg.Connection & { stream: Socket };
type ConnectionConstructor = new (config: object) => ConnectionInside;
type ConnectCallback = (error: Error | null, client?: LakebaseClient) => void;

/**
 * A node-postgres client that fetches its token before it dials, and logs in once more with a new token when the old one
 * is refused.
 *
 * @example
 * ```ts
 * import { LakebaseClient } from "@x/lakebase-core/pg";
 *
 * const client = new LakebaseClient({ applicationName: "acme+lakebase" });
 * await client.connect();
 * await client.query("select 1");
 * await client.end();
 * ```
 */
export class LakebaseClient extends pg.Client {
  readonly #binding: ClientBinding;
  /** Said at the first login and not before: pools make their clients where an exception would find nobody. */
  readonly #problems: readonly ConfigProblem[];
  /** node-postgres' connection options that a new connection needs again. */
  readonly #connectionConfig: object;
  #lost = false;
  #told = false;
  #login: { readonly abort: AbortController; readonly settled: Promise<void> } | undefined;
  /** Listeners that somebody put on the connection before connecting, such as Sequelize's. */
  #foreignListeners: readonly [string | symbol, (...args: unknown[]) => void][] | undefined;

  /** @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options. */
  constructor(options: LakebaseClientOptions = {}) {
    refuseNative();
    const { [bindingKey]: given, ...config } = options as { [bindingKey]?: ClientBinding } & PgClientOptions;
    const { binding, driver } = given ? { binding: given, driver: config } : bindClient(options);
    const { scope, handle } = binding;
    super({
      ...driver,
      // Placeholders: what pg would read from the environment instead must not be there. All are set before dialling.
      host: "unresolved.invalid",
      port: handle.config.port,
      user: "unresolved",
      password: "unresolved",
      database: scope.database,
      application_name: scope.applicationName ?? "unresolved",
      ssl: { rejectUnauthorized: true },
      // One bound covers the whole login, ours.
      connectionTimeoutMillis: 0,
    });
    this.#binding = binding;
    this.#problems = given ? foreignOptionProblems(driver, handle, scope) : [];
    const inside = inner(this);
    inside.password = null;
    inside.connectionParameters.password = null;
    inside.connectionParameters.options = driver.options ?? handle.config.startupOptions;
    this.#connectionConfig = {
      keepAlive: driver.keepAlive ?? true,
      keepAliveInitialDelayMillis: driver.keepAliveInitialDelayMillis ?? 0,
      encoding: driver.client_encoding ?? "utf8",
    };
    // A connection that dies while nobody listens must cost its query, not the process.
    this.on("error", (error) => {
      this.#told = true;
      this.#lose(error);
    });
    returnWhenLost(this);
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
  override connect(callback?: unknown): Promise<pg.Client> | undefined {
    if (callback) {
      this.#logIn(callback as ConnectCallback);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      this.#logIn((error) => (error ? reject(error) : resolve(this)));
    });
  }

  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: (error: Error) => void): Promise<void> | undefined {
    const login = this.#login;
    if (!login) return callback ? (super.end(callback) as undefined) : super.end();
    login.abort.abort(new LakebaseError("ERR_LAKEBASE_ABORTED", "the client was ended"));
    const ended = login.settled.then(() => super.end());
    if (!callback) return ended;
    void ended.then(() => queueMicrotask(callback as () => void));
    return undefined;
  }

  #logIn(callback: ConnectCallback): void {
    const inside = inner(this);
    if (this.#problems.length > 0) {
      process.nextTick(() => callback(configError(this.#problems)));
      return;
    }
    if (this.#login || inside._connecting || inside._connected || inside._ended) {
      const error = new Error("Client has already been connected");
      process.nextTick(() => callback(error));
      return;
    }
    const { handle, scope, shutDown, leadMs = 0 } = this.#binding;
    const abort = new AbortController();
    const onShutDown = () => abort.abort(shutDown?.reason);
    if (shutDown?.aborted) onShutDown();
    shutDown?.addEventListener("abort", onShutDown, { once: true });

    const settled = handle
      .logIn(scope, scope.connectTimeoutMs - leadMs, abort.signal, (settings, signal, accepted) =>
        this.#dial(
          settings,
          signal,
          () => {
            accepted();
            shutDown?.removeEventListener("abort", onShutDown);
            this.#login = undefined;
          },
          callback,
        ),
      )
      .catch((error: Error) => {
        shutDown?.removeEventListener("abort", onShutDown);
        this.#login = undefined;
        // Outside of the promise, so that what the callback throws is an exception and not a lost rejection. Before the end is
        // told, as node-postgres does: Sequelize would take an end that comes first for the reason.
        process.nextTick(() => callback(error));
        this.#giveUp(error);
      });
    this.#login = { abort, settled };
  }

  /** One dial. On success the callback runs inside node-postgres' own, before any message that came with it is handled. */
  #dial(settings: ConnectionSettings, signal: AbortSignal, accepted: () => void, callback: ConnectCallback) {
    return new Promise<void>((resolve, reject) => {
      const inside = inner(this);
      const socket = dialler(settings.hostAddress);
      const connection = this.#prepare(inside, settings, socket);
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
      super.connect((error?: Error | null) => {
        if (error) return fail(error);
        settle();
        this.#watch(connection);
        accepted();
        resolve();
        callback(null, this);
      });
    });
  }

  /** Sets back what a dial before this one has left, and puts the settings where node-postgres reads them. */
  #prepare(inside: ClientInside, settings: ConnectionSettings, socket: Socket): ConnectionInside {
    const { host, port, user, database, applicationName, ssl } = settings;
    this.#foreignListeners ??= listenersOf(inside.connection);
    inside._connecting = false;
    inside._connectionError = false;
    const password = settings.password.reveal();
    // The socket and TLS read the client's fields, the startup packet reads the parameters.
    Object.assign(inside, { host, port, user, database, ssl, password });
    Object.assign(inside.connectionParameters, { host, port, user, database, ssl, application_name: applicationName });
    inside.connectionParameters.password = password;
    const Connection = pg.Connection as unknown as ConnectionConstructor;
    discard(inside.connection);
    const connection = new Connection({ ...this.#connectionConfig, ssl, stream: socket });
    for (const [name, listener] of this.#foreignListeners) connection.on(name, listener);
    inside.connection = connection;
    return connection;
  }

  /**
   * The server ends a session that it has reported a fatal error in. node-postgres tells only the statement that runs, and
   * its pools would give the client to another one until the socket closes.
   */
  #watch(connection: ConnectionInside): void {
    const isFatal = ({ severity }: pg.DatabaseError) => severity === "FATAL" || severity === "PANIC";
    connection.prependListener("errorMessage", (error: pg.DatabaseError) => {
      if (!isFatal(error)) return;
      inner(this)._queryable = false;
      this.#lose(error);
    });
    // Pools that look at nothing but the client's `error` event, Sequelize's and Knex's, hear of it now and not with the socket.
    connection.on("errorMessage", (error: pg.DatabaseError) => {
      if (!isFatal(error) || this.#told) return;
      inner(this)._connectionError = true;
      this.emit("error", error);
    });
  }

  /** The end of its socket follows an error of the server, and is the same loss. */
  #lose(error: NodeJS.ErrnoException): void {
    if (!this.#lost) this.#binding.handle.emit({ type: "connectionLost", code: error.code });
    this.#lost = true;
  }

  /** After the last dial: what pg does when a connection ends, for one that may never have begun. */
  #giveUp(error: Error): void {
    const inside = inner(this);
    inside._connecting = false;
    inside._ended = true;
    inside._errorAllQueries(error);
    process.nextTick(() => this.emit("end"));
  }
}

/** @throws LakebaseError `ERR_LAKEBASE_DRIVER` when node-postgres was told to use its other client. */
export function refuseNative(): void {
  if ("_handleReadyForQuery" in pg.Client.prototype) return;
  throw new LakebaseError("ERR_LAKEBASE_DRIVER", "pg-native is not supported: remove NODE_PG_FORCE_NATIVE");
}

/**
 * Makes the class of a pool's clients: pools construct them with nothing but their own options.
 *
 * @param driver Options of the driver for hosts that pass on none, such as Sequelize.
 */
export function bindLakebaseClient(binding: ClientBinding, driver: PgClientOptions): typeof LakebaseClient {
  return class extends LakebaseClient {
    /** Shows in stack traces, and to ORMs that look at it. */
    static override readonly name = "LakebaseClient";

    constructor(config: PgClientOptions = {}) {
      super({ ...driver, ...config, [bindingKey]: binding } as LakebaseClientOptions);
    }
  };
}

function bindClient(options: LakebaseClientOptions): { binding: ClientBinding; driver: PgClientOptions } {
  const split = splitPgOptions(options, "client");
  return { binding: bindOptions(split, "pg"), driver: split.driver };
}

function inner(client: LakebaseClient): ClientInside {
  return client as unknown as ClientInside;
}

function listenersOf(connection: ConnectionInside) {
  return connection
    .eventNames()
    .filter((name) => name !== "newListener")
    .flatMap((name) => connection.rawListeners(name).map((listener) => [name, listener] as [string, () => void]));
}

/**
 * A client that ends while somebody holds it gives its place in the pool back by itself. Drizzle before 1.0 does not when
 * `begin` fails on it, nor does MikroORM when a rollback fails, and the pool would be smaller by one for good.
 */
function returnWhenLost(client: pg.Client): void {
  type Release = (error?: Error | boolean) => void;
  let release: Release | undefined;
  let lent = false;
  let returned = false;
  // pg-pool puts a new one here whenever it lends the client.
  Object.defineProperty(client, "release", {
    configurable: true,
    enumerable: true,
    get: () => release,
    set(giveBack: Release) {
      const own: Release = (error) => {
        if (own === release && returned) return;
        if (own === release) lent = false;
        giveBack(error);
      };
      release = own;
      lent = true;
    },
  });
  client.once("end", () => {
    if (!lent) return;
    release?.(true);
    returned = true;
  });
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
