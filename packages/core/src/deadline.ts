import type { FullClock } from "./clock.ts";

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
  } catch (error) {
    // What the work has begun besides must not go on for nobody.
    controller.abort(error);
    throw error;
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", forward);
  }
}

/**
 * Rejects with the signal's reason after an abort; else never settles. A moment late, so that work which listens to the
 * signal can say in its own words what it was doing.
 */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => setImmediate(() => reject(signal.reason)), { once: true });
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
