import pg from "pg";
import type { ResolvedScope } from "../config/scope.ts";
import { bindOptions, type HandleOptions } from "../driver-options.ts";
import { LakebaseError } from "../errors.ts";
import type { HandleInternals } from "../lakebase.ts";
import type { ClientInside, DiallingClient } from "./dialling.ts";
import { type PgClientOptions, splitPgOptions } from "./driver-options.ts";

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

type ConnectCallback = (error: Error | null, client?: LakebaseClient) => void;

/** Declared by node-postgres as a promise of nothing at first, and of the client since `@types/pg` 8.18. */
type Connect = pg.Client["connect"] extends { (): infer Answer; (callback: infer Callback): void }
  ? { answer: Answer; callback: Callback }
  : never;

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
  /** What a pool has handed over, its own options and whatever its host has put among them. */
  readonly #given: PgClientOptions;
  readonly #dialling: DiallingClient;
  #login: { readonly abort: AbortController; readonly settled: Promise<void> } | undefined;

  /** @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options. */
  constructor(options: LakebaseClientOptions = {}) {
    refuseNative();
    const { [bindingKey]: given, ...config } = options as { [bindingKey]?: ClientBinding } & PgClientOptions;
    const { binding, driver } = given ? { binding: given, driver: config } : bindClient(options);
    const { scope, handle } = binding;
    super({
      ...driver,
      // Refused at the login. Read here, what is wrong with it would be an exception, with the password in it.
      connectionString: undefined,
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
    this.#given = given ? driver : {};
    this.#dialling = { inside: inner(this), driver, connect: (callback) => super.connect(callback) };
  }

  override connect(): Connect["answer"];
  override connect(callback: Connect["callback"]): void;
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

    const settled = import("./dialling.ts")
      .then(({ dial, followSession, refuseForeignOptions }) => {
        refuseForeignOptions(this.#given, handle, scope);
        const timeoutMs = scope.connectTimeoutMs - leadMs;
        return handle.logIn(scope, timeoutMs, abort.signal, (settings, signal, accepted) =>
          dial(this.#dialling, settings, signal, (connection) => {
            followSession(this, connection, (code) => handle.emit({ type: "connectionLost", code }));
            accepted();
            shutDown?.removeEventListener("abort", onShutDown);
            this.#login = undefined;
            callback(null, this);
          }),
        );
      })
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

    constructor(config: pg.ClientConfig = {}) {
      // Pools hide a password from enumeration, and from those who are to see that there is one.
      const { password } = config;
      super({ ...driver, ...config, password, [bindingKey]: binding } as object as LakebaseClientOptions);
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
