/**
 * The time of a local Lakebase: real time, moved forward by what a test has added to it.
 * The workspace API and the login front read the same clock.
 */
export interface LocalClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a clock that never steps back. */
  monotonic(): number;
  /**
   * Moves both readings forward at once. Waits that end inside the step (a wake, a slow fault) end now.
   *
   * @param ms milliseconds, zero or more
   * @throws RangeError when `ms` is negative or not finite
   */
  advance(ms: number): void;
}

/** What the parts of the local Lakebase use: the clock, and waits that follow it. */
export interface MovableClock extends LocalClock {
  /** Settles when the clock has moved on by `ms`, by itself or by {@link LocalClock.advance}; also when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

interface Sleeper {
  due: number;
  timer: NodeJS.Timeout;
  wake: () => void;
}

// setTimeout fires at once when asked to wait longer than this.
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export function createClock(): MovableClock {
  let offset = 0;
  const sleepers = new Set<Sleeper>();
  const monotonic = () => performance.now() + offset;

  const arm = (sleeper: Sleeper) => {
    const rest = sleeper.due - monotonic();
    if (rest <= 0) {
      sleeper.wake();
      return;
    }
    sleeper.timer = setTimeout(() => arm(sleeper), Math.min(Math.ceil(rest), LONGEST_TIMEOUT_MS));
    sleeper.timer.unref();
  };

  return {
    now: () => Date.now() + offset,
    monotonic,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0)
        throw new RangeError(`advance(ms) needs zero or more milliseconds, not ${ms}`);
      offset += ms;
      for (const sleeper of [...sleepers]) {
        clearTimeout(sleeper.timer);
        arm(sleeper);
      }
    },
    sleep(ms, signal) {
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(sleeper.timer);
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper: Sleeper = { due: monotonic() + ms, timer: setTimeout(() => {}, 0), wake };
        clearTimeout(sleeper.timer);
        if (signal?.aborted) return resolve();
        signal?.addEventListener("abort", wake);
        sleepers.add(sleeper);
        arm(sleeper);
      });
    },
  };
}
