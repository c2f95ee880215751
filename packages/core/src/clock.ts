/**
 * Where time comes from. Only tests and simulations pass one: `startLocalLakebase().clock` is such a clock and moves both
 * sides at once.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump in both directions. */
  now(): number;
  /** Milliseconds that never go back. Default: `now()` of the same clock. */
  monotonic?(): number;
  /**
   * Calls `run` after `delayMs` and returns what cancels it. `holdProcess` (default `true`): whether the process stays
   * alive for it. Default: a real timer.
   */
  after?(delayMs: number, run: () => void, holdProcess?: boolean): () => void;
}

/** A clock with nothing left out. */
export type FullClock = Required<Clock>;

function realTimer(delayMs: number, run: () => void, holdProcess = true): () => void {
  const timer = setTimeout(run, delayMs);
  if (!holdProcess) timer.unref();
  return () => clearTimeout(timer);
}

export const systemClock: FullClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: realTimer,
};

export function completeClock(clock: Clock | undefined): FullClock {
  if (clock === undefined) return systemClock;
  return {
    now: () => clock.now(),
    monotonic: () => (clock.monotonic ? clock.monotonic() : clock.now()),
    after: (...args) => (clock.after ?? realTimer).apply(clock, args),
  };
}

export interface Deadline {
  readonly clock: FullClock;
  readonly timeoutMs: number;
  /** Ends the work early. */
  readonly signal?: AbortSignal | undefined;
  readonly expired: () => Error;
  /** Default `true`. */
  readonly holdProcess?: boolean;
}

/**
 * Runs something that must be over by a deadline. Its signal tells it to stop; whether it listens or not, the caller goes
 * on.
 */
export async function withDeadline<T>(deadline: Deadline, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, timeoutMs, signal, expired, holdProcess } = deadline;
  const controller = new AbortController();
  const forward = () => controller.abort(signal?.reason);
  if (signal?.aborted) forward();
  else signal?.addEventListener("abort", forward, { once: true });
  const cancelTimer = clock.after(timeoutMs, () => controller.abort(expired()), holdProcess);
  try {
    controller.signal.throwIfAborted();
    return await Promise.race([run(controller.signal), aborted(controller.signal)]);
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", forward);
  }
}

/** Rejects with the signal's reason when it is aborted; else never settles. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A pause that an abort ends early, with its reason. */
export function pause(clock: FullClock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  if (delayMs <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      cancelTimer();
      reject(signal.reason);
    };
    const cancelTimer = clock.after(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
