import type { FullClock } from "./clock.ts";
import { pause, withDeadline } from "./deadline.ts";
import { errorCode, isLakebaseError } from "./error-chain.ts";
import { LakebaseError } from "./errors.ts";
import type { LakebaseEventBody } from "./events.ts";
import {
  backoffMs,
  type ExpiryPlan,
  type Instant,
  maxRetryAfterMs,
  phaseOf,
  planExpiry,
  remainingMs,
  type TokenPhase,
} from "./expiry.ts";

/** A token (or something else that is fetched once and shared) as its issuer handed it out. */
export interface Minted<Value> {
  readonly value: Value;
  /** From the moment of the request; `Infinity` for what does not end. */
  readonly lifetimeMs: number;
  /** When it ends by its issuer's word, wall-clock milliseconds. */
  readonly expiresAt: number;
}

export interface MintContext {
  readonly signal: AbortSignal;
  /** Nobody waits for it: it must not keep the process alive, and one try is enough. */
  readonly background: boolean;
  /** The last one was refused: an issuer must not hand it out again. */
  readonly forced: boolean;
}

export interface CachedToken<Value> {
  readonly value: Value;
  readonly expiresAt: Date;
  readonly plan: ExpiryPlan;
}

/** A token for one caller, and whether it had to be fetched for it. */
export interface TokenGrant<Value> {
  readonly cached: CachedToken<Value>;
  readonly fromCache: boolean;
}

export interface TokenCacheOptions<Value> {
  readonly mint: (context: MintContext) => Promise<Minted<Value>>;
  readonly clock: FullClock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly onEvent?: (event: LakebaseEventBody) => void;
  /** Names the thing in errors: "credential for projects/…". */
  readonly label: string;
  /** The cache that `mint` itself waits for: its failures explain why nothing came. */
  readonly upstream?: TokenCache<unknown>;
}

export interface TokenWait {
  /** Ends this caller's wait and nobody else's. */
  readonly signal: AbortSignal;
  /** The caller can do without: one try is enough, and the process is not held. */
  readonly background?: boolean;
  /** What the caller gets with the token ends with it: past half of its life a new one is worth a short wait. */
  readonly young?: boolean;
}

type RefreshReason = Extract<LakebaseEventBody, { type: "refresh" }>["reason"];

/** One request for a new token, shared by all who need it. */
interface Flight<Value> {
  readonly controller: AbortController;
  readonly promise: Promise<CachedToken<Value>>;
  /** Callers that cannot go on without it. While there are any, it tries again after a failure. */
  waiters: number;
  /** Callers that want its answer, but not another try. */
  watchers: number;
}

/** The longest that one try takes. */
const tryTimeoutMs = 10_000;
/** How long a caller waits for the refresh of a token that is about to end, before it uses that token. */
const closingWaitMs = 2000;
/** How long an answer that will not change (wrong secret, no permission) stands for the answer to the next call. */
const hopelessMs = 5000;
/** The longest pause between two tries while somebody waits: also how late a recovery is noticed. */
const waitedBackoffCapMs = 5000;

/**
 * Keeps one token: answers at once while it is fresh, refreshes it behind the callers while it is stale, and goes on
 * using it until it really ends when the refresh fails. There is no timer: a refresh is started by use, so an idle
 * process is not held and a frozen one wakes up correctly.
 */
export class TokenCache<Value> {
  readonly #options: TokenCacheOptions<Value>;
  readonly #jitter: number;
  #current: CachedToken<Value> | undefined;
  #flight: Flight<Value> | undefined;
  /** Why the next fetch will be needed. */
  #reason: RefreshReason = "first";
  #staleTold = false;
  #refreshes = 0;
  #refreshFailures = 0;
  /** Failures since the last success. */
  #failures = 0;
  #lastError: unknown;
  /** Until when our own backoff, the server's `Retry-After` and a hopeless answer hold; on the monotonic clock. */
  #backoffUntil = Number.NEGATIVE_INFINITY;
  #retryAfterUntil = Number.NEGATIVE_INFINITY;
  #hopelessUntil = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: TokenCacheOptions<Value>) {
    this.#options = options;
    this.#jitter = options.random();
  }

  /**
   * A token that is valid now; synchronously while one is fresh.
   *
   * @throws LakebaseError that says why there is none.
   */
  get(wait: TokenWait): TokenGrant<Value> | Promise<TokenGrant<Value>> {
    this.#throwIfClosed();
    const current = this.#current;
    const phase = current ? phaseOf(current.plan, this.#now()) : "expired";
    if (!current || phase === "expired") return this.#fetch(wait);
    const tooOld = wait.young === true && remainingMs(current.plan, this.#now()) < current.plan.lifetimeMs / 2;
    if (phase === "fresh" && !tooOld) return { cached: current, fromCache: true };

    if (phase !== "fresh" && !this.#staleTold) {
      this.#staleTold = true;
      this.#emit({ type: "stale", expiresAt: current.expiresAt });
      // A listener may do anything, also close the handle.
      this.#throwIfClosed();
    }
    if (!this.#flight && this.#spacingMs(false) <= 0) this.#start("stale", true);
    if ((phase === "stale" && !tooOld) || !this.#flight) return { cached: current, fromCache: true };
    return this.#waitBriefly(current, this.#flight, wait);
  }

  /** Drops the token if it is the one that is meant. A hundred refusals of one token drop it once. */
  invalidate(matches: (value: Value) => boolean): boolean {
    if (!this.holds(matches)) return false;
    this.#current = undefined;
    this.#reason = "rejected";
    return true;
  }

  /** Whoever is asked has something new to tell: an answer that would not change may, and `dropped`, the token too. */
  renew(dropped = false): void {
    if (dropped) this.#current = undefined;
    this.#hopelessUntil = Number.NEGATIVE_INFINITY;
    this.#backoffUntil = Number.NEGATIVE_INFINITY;
  }

  /** Whether the token is the one that is meant. */
  holds(matches: (value: Value) => boolean): boolean {
    return this.#current !== undefined && matches(this.#current.value);
  }

  snapshot() {
    return {
      phase: this.#current ? phaseOf(this.#current.plan, this.#now()) : ("none" as const),
      expiresAt: this.#current?.expiresAt,
      refreshing: this.#flight !== undefined,
      refreshes: this.#refreshes,
      refreshFailures: this.#refreshFailures,
      /** Since the last success. */
      failures: this.#failures,
      lastErrorCode: this.#failures > 0 ? errorCode(this.#lastError) : undefined,
    } satisfies { phase: TokenPhase | "none" } & Record<string, unknown>;
  }

  /** Aborts what is under way and refuses everything after. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#current = undefined;
    this.#flight?.controller.abort(this.#closedError());
  }

  async #fetch(wait: TokenWait): Promise<TokenGrant<Value>> {
    if (this.#options.clock.monotonic() < this.#hopelessUntil) throw this.#lastError;
    const flight = this.#flight ?? this.#start(this.#reason, wait.background === true);
    const cached = await this.#join(flight, wait.signal, wait.background ? "watchers" : "waiters");
    return { cached, fromCache: false };
  }

  /** Past the hard margin: the new token is worth a short wait, but not a failure. */
  async #waitBriefly(current: CachedToken<Value>, flight: Flight<Value>, wait: TokenWait): Promise<TokenGrant<Value>> {
    const timeoutMs = Math.min(closingWaitMs, remainingMs(current.plan, this.#now()) / 2);
    const { clock } = this.#options;
    const expired = () => new LakebaseError("ERR_LAKEBASE_TIMEOUT", "the refresh is slow");
    const fresh = await withDeadline({ clock, timeoutMs, signal: wait.signal, expired }, () => flight.promise).catch(
      () => undefined,
    );
    wait.signal.throwIfAborted();
    if (fresh) return { cached: fresh, fromCache: false };
    // Whatever happened meanwhile (an invalidation, the end of the token, of the handle) decides anew.
    if (this.#current !== current || phaseOf(current.plan, this.#now()) === "expired") return this.get(wait);
    return { cached: current, fromCache: true };
  }

  async #join(flight: Flight<Value>, signal: AbortSignal, role: "waiters" | "watchers"): Promise<CachedToken<Value>> {
    flight[role] += 1;
    try {
      return await this.#race(flight, signal);
    } finally {
      flight[role] -= 1;
      // Nobody needs it any more: a request that hangs must not stand in the way of the next caller.
      if (flight.waiters + flight.watchers === 0 && this.#flight === flight) {
        this.#flight = undefined;
        flight.controller.abort(
          new LakebaseError("ERR_LAKEBASE_ABORTED", `${this.#options.label}: nobody waits for it`),
        );
      }
    }
  }

  /** The flight's result, or the caller's own end of patience. Others who wait for the flight are not touched. */
  #race(flight: Flight<Value>, signal: AbortSignal): Promise<CachedToken<Value>> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(this.explain(signal.reason));
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      flight.promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    });
  }

  #start(reason: RefreshReason, background: boolean): Flight<Value> {
    const controller = new AbortController();
    const promise = this.#run(controller.signal, reason, () => flight, background);
    const flight: Flight<Value> = { controller, promise, waiters: 0, watchers: 0 };
    this.#flight = flight;
    // Failures of the background are told as events; nobody may be listening to the promise.
    promise.catch(() => {});
    return flight;
  }

  async #run(
    signal: AbortSignal,
    reason: RefreshReason,
    self: () => Flight<Value>,
    background: boolean,
  ): Promise<CachedToken<Value>> {
    // Let the first caller enter itself as a waiter.
    await undefined;
    try {
      for (;;) {
        await pause(this.#options.clock, this.#spacingMs(self().waiters > 0), signal);
        const requestedAt = this.#now();
        try {
          const unattended = background && self().waiters === 0;
          const minted = await this.#mint(signal, { background: unattended, forced: reason === "rejected" });
          // The answer to a flight that was given up may be older than what the cache has by now.
          signal.throwIfAborted();
          return this.#store(minted, requestedAt, reason);
        } catch (error) {
          signal.throwIfAborted();
          this.#noteFailure(error, self().waiters > 0);
          if (self().waiters === 0 || this.#options.clock.monotonic() < this.#hopelessUntil) throw error;
        }
      }
    } finally {
      if (this.#flight === self()) this.#flight = undefined;
    }
  }

  async #mint(signal: AbortSignal, how: Omit<MintContext, "signal">): Promise<Minted<Value>> {
    const { background } = how;
    const { clock, label, mint } = this.#options;
    const life = this.#current?.plan.lifetimeMs ?? Number.POSITIVE_INFINITY;
    // A try in the background must be over well before the token that it replaces.
    const timeoutMs = background ? Math.min(tryTimeoutMs, life / 4) : tryTimeoutMs;
    const expired = () =>
      new LakebaseError("ERR_LAKEBASE_TIMEOUT", `${label}: no answer within ${Math.round(timeoutMs)} ms`, {
        retryable: true,
      });
    return withDeadline({ clock, timeoutMs, signal, expired, holdProcess: !background }, (trySignal) =>
      mint({ ...how, signal: trySignal }),
    );
  }

  #store(minted: Minted<Value>, requestedAt: Instant, reason: RefreshReason): CachedToken<Value> {
    const plan = planExpiry(requestedAt, minted.lifetimeMs, this.#jitter);
    if (phaseOf(plan, this.#now()) === "expired") {
      throw new LakebaseError(
        "ERR_LAKEBASE_BAD_RESPONSE",
        `${this.#options.label}: the token had ended when it arrived; are the clocks of this machine and of the workspace right?`,
        { retryable: true },
      );
    }
    const cached = { value: minted.value, expiresAt: new Date(minted.expiresAt), plan };
    this.#current = cached;
    this.#reason = "expired";
    this.#staleTold = false;
    this.#refreshes += 1;
    this.#failures = 0;
    this.#lastError = undefined;
    this.#hopelessUntil = Number.NEGATIVE_INFINITY;
    this.#backoffUntil = Number.NEGATIVE_INFINITY;
    this.#retryAfterUntil = Number.NEGATIVE_INFINITY;
    const durationMs = Math.round(this.#options.clock.monotonic() - requestedAt.monotonic);
    this.#emit({ type: "refresh", reason, expiresAt: cached.expiresAt, durationMs });
    return cached;
  }

  #noteFailure(error: unknown, waitedFor: boolean): void {
    const now = this.#now();
    const { random } = this.#options;
    this.#failures += 1;
    this.#refreshFailures += 1;
    this.#lastError = error;
    const retryable = !isLakebaseError(error) || error.retryable;
    const life = this.#current?.plan.lifetimeMs ?? Number.POSITIVE_INFINITY;
    // Somebody waits: try again soon. Nobody does: leave the service in peace, as long as the token's life allows.
    const [baseMs, capMs] = waitedFor
      ? [250, waitedBackoffCapMs]
      : [Math.min(1000, life / 20), Math.min(60_000, life / 10)];
    const backoff = Math.max(retryable ? 0 : hopelessMs, backoffMs(this.#failures, baseMs, capMs, random()));
    const asked = Math.min((isLakebaseError(error) && error.retryAfterMs) || 0, maxRetryAfterMs);
    this.#backoffUntil = now.monotonic + backoff;
    if (asked > 0) this.#retryAfterUntil = now.monotonic + asked;
    if (!retryable) this.#hopelessUntil = now.monotonic + hopelessMs;
    this.#emit({
      type: "refreshFailed",
      code: errorCode(error) ?? "unknown",
      message: isLakebaseError(error) ? error.message : "unknown error",
      failures: this.#failures,
      retryInMs: Math.round(Math.max(backoff, asked)),
      servingOld: this.#current !== undefined && phaseOf(this.#current.plan, now) !== "expired",
    });
  }

  /** How long the next try has to wait. What the server asked for holds; our own backoff is short for those who wait. */
  #spacingMs(waitedFor: boolean): number {
    const now = this.#options.clock.monotonic();
    const backoff = this.#backoffUntil - now;
    return Math.max(this.#retryAfterUntil - now, waitedFor ? Math.min(backoff, waitedBackoffCapMs) : backoff);
  }

  /** A caller that ran out of time wants to know what went wrong meanwhile. */
  explain(reason: unknown): unknown {
    if (!isLakebaseError(reason, "ERR_LAKEBASE_TIMEOUT")) return reason;
    const last = this.#lastError;
    if (last === undefined) return this.#options.upstream?.explain(reason) ?? reason;
    const tries = `${this.#failures} ${this.#failures === 1 ? "try" : "tries"}`;
    return new LakebaseError(
      isLakebaseError(last) ? last.code : "ERR_LAKEBASE_UNAVAILABLE",
      `${reason.message}; ${this.#options.label}: no success in ${tries}${isLakebaseError(last) ? `, last: ${last.message}` : ""}`,
      { cause: last, retryable: true },
    );
  }

  #now(): Instant {
    return { wall: this.#options.clock.now(), monotonic: this.#options.clock.monotonic() };
  }

  #emit(event: LakebaseEventBody): void {
    this.#options.onEvent?.(event);
  }

  #closedError(): LakebaseError {
    return new LakebaseError("ERR_LAKEBASE_CLOSED", `${this.#options.label}: the handle is closed`);
  }

  #throwIfClosed(): void {
    if (this.#closed) throw this.#closedError();
  }
}

/** What is asked once and does not end. */
export function forever<Value>(value: Value): Minted<Value> {
  return { value, lifetimeMs: Number.POSITIVE_INFINITY, expiresAt: Number.POSITIVE_INFINITY };
}
