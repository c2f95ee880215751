import { completeClock, systemClock } from "./clock.ts";
import { type ResolvedScope, resolveScope } from "./config/scope.ts";
import { type ResolvedConfig, resolveConfig } from "./config.ts";
import { configError } from "./errors.ts";
import { type LakebaseEventBody, publishEvent } from "./events.ts";
import type { ConnectionSettings, Credential, Handle, HandleParts, LakebaseHealth } from "./handle.ts";
import type { Dial, logIn } from "./login.ts";
import type { LakebaseOptions, PoolScope } from "./options.ts";
import type { Secret } from "./secret.ts";
import { targetLabel } from "./target.ts";
import { packageVersion } from "./version.ts";
import type { WorkspaceAuth } from "./workspace-auth.ts";

/** One identity, one target, one token cache. Several pools may share it. */
export interface Lakebase extends AsyncDisposable {
  /**
   * The current credential, from the cache while it is good.
   * @throws LakebaseError with the code of what went wrong.
   */
  credential(options?: { signal?: AbortSignal | undefined }): Promise<Credential>;
  /**
   * Everything for one login, for a driver that this library has no seam for.
   * @throws LakebaseError with the code of what went wrong.
   */
  connection(options?: PoolScope & { signal?: AbortSignal | undefined }): Promise<ConnectionSettings>;
  /** Drops a token that was refused, if it is still the one in use; the next login fetches a new one. */
  invalidate(token: string | Secret): void;
  /**
   * Finds out host and user and fetches the first token, so that the first query does not wait for it.
   * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that names everything that is missing, or the code of what went wrong.
   */
  warmup(): Promise<void>;
  /** What the handle knows, without asking anybody. */
  health(): LakebaseHealth;
  /** Aborts refreshes and refuses new logins. Open sessions stay. Safe to call twice. */
  close(): Promise<void>;
}

/** What the driver seams of this package use of a handle, beyond its public face. */
export interface HandleInternals {
  readonly config: ResolvedConfig;
  /** The application name where neither option nor environment gives one. */
  defaultName(adapter: string): string;
  scope(own: PoolScope): ResolvedScope;
  /** See `login.ts`. */
  logIn<T>(scope: ResolvedScope, timeoutMs: number, signal: AbortSignal, dial: Dial<T>): Promise<T>;
  emit(event: LakebaseEventBody): void;
  /** Who the identity is, by the workspace's word and no other. */
  whoAmI(signal: AbortSignal): Promise<string>;
  /** See `Handle.renew()`. */
  renew(): void;
}

/**
 * Where a handle keeps its internals. A registered symbol, so that a handle made by one copy of this package (ESM, say)
 * works with the seams of another (CJS).
 */
const internalsKey = Symbol.for("@x/lakebase-core/handle/1");

/**
 * The internals of a handle.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when it is no handle.
 */
export function internalsOf(lakebase: Lakebase): HandleInternals {
  const internals = (lakebase as { [internalsKey]?: HandleInternals } | undefined)?.[internalsKey];
  if (internals) return internals;
  throw configError([{ option: "lakebase", message: "must be a handle made by createLakebase()" }]);
}

/**
 * Makes a handle: one identity, one target, one token cache. Touches no network; what is merely missing from the
 * environment is reported by `warmup()` or the first login, so that a module can be imported where there is none.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when options are contradictory or malformed, with every problem;
 * `ERR_LAKEBASE_HOST_REFUSED` when the host must not receive a token.
 * @example
 * ```ts
 * import { createLakebase } from "@x/lakebase-core";
 * import { lakebasePool } from "@x/lakebase-core/pg";
 *
 * const lakebase = createLakebase({
 *   endpoint: "projects/shop/branches/production/endpoints/primary",
 *   applicationName: { isv: "acme" },
 * });
 * await lakebase.warmup();
 * const orders = lakebasePool({ lakebase, database: "orders" });
 * const audit = lakebasePool({ lakebase, database: "audit", max: 2 });
 * ```
 */
export function createLakebase(options: LakebaseOptions = {}): Lakebase {
  return createHandle(options, "core");
}

/** {@link createLakebase} with the name of the adapter, for the default application name. */
export function createHandle(options: LakebaseOptions, adapter: string): Lakebase {
  return new LazyLakebase(resolveConfig(options), nameOfAdapter(adapter));
}

/** A handle for one of many identities: everything is decided but who it is. */
export function createHandleOf(
  config: ResolvedConfig,
  auth: WorkspaceAuth,
  explainRefusal?: HandleParts["explainRefusal"],
): Lakebase {
  const identity = { kind: "oauth", auth, environment: undefined, user: undefined } as const;
  return new LazyLakebase({ ...config, identity }, nameOfAdapter("core"), explainRefusal);
}

function nameOfAdapter(adapter: string): string {
  return `x-lakebase-${adapter}/${packageVersion}`;
}

/** A handle whose working half is loaded by its first login: importing the package costs next to nothing. */
class LazyLakebase implements Lakebase {
  readonly #parts: HandleParts;
  #loading: Promise<{ handle: Handle; logIn: typeof logIn }> | undefined;
  #handle: Handle | undefined;
  #closed = false;

  constructor(config: ResolvedConfig, defaultName: string, explainRefusal?: HandleParts["explainRefusal"]) {
    const label = targetLabel(config.target);
    this.#parts = {
      config,
      label,
      defaultName,
      explainRefusal,
      clock: completeClock(config.clock),
      emit: (event) => publishEvent({ ...event, target: label }, config.onEvent),
    };
  }

  get [internalsKey](): HandleInternals {
    const { config, emit } = this.#parts;
    return {
      config,
      emit,
      defaultName: nameOfAdapter,
      scope: (own) => resolveScope(config.scope, own),
      whoAmI: async (signal) => (await this.#load()).handle.whoAmI(signal),
      renew: () => this.#handle?.renew(),
      logIn: async (scope, timeoutMs, signal, dial) => {
        const begun = systemClock.monotonic();
        const loaded = await this.#load();
        const left = Math.max(1, timeoutMs - (systemClock.monotonic() - begun));
        return loaded.logIn(loaded.handle, this.#parts, { scope, signal, timeoutMs: left }, dial);
      },
    };
  }

  async credential(options?: { signal?: AbortSignal | undefined }): Promise<Credential> {
    return (await this.#load()).handle.credential(options);
  }

  async connection(options?: PoolScope & { signal?: AbortSignal | undefined }): Promise<ConnectionSettings> {
    return (await this.#load()).handle.connection(options);
  }

  invalidate(token: string | Secret): void {
    this.#handle?.invalidate(token);
  }

  async warmup(): Promise<void> {
    await this.connection();
  }

  health(): LakebaseHealth {
    return (
      this.#handle?.health() ?? {
        status: this.#closed ? "closed" : "new",
        target: this.#parts.label,
        token: undefined,
        refreshing: false,
        lastErrorCode: undefined,
        counts: { logins: 0, loginsRejected: 0, tokenWaits: 0, refreshes: 0, refreshFailures: 0 },
      }
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#handle?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #load() {
    this.#loading ??= Promise.all([import("./handle.ts"), import("./login.ts")]).then(([{ Handle }, { logIn }]) => {
      this.#handle = new Handle(this.#parts);
      if (this.#closed) this.#handle.close();
      return { handle: this.#handle, logIn };
    });
    return this.#loading;
  }
}
