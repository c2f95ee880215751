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
