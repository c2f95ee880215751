import type { FullClock } from "../src/clock.ts";

/** A clock that stands still until a test moves it. */
export class FakeClock implements FullClock {
  #wall: number;
  #monotonic = 1000;
  #order = 0;
  readonly #timers = new Map<number, { at: number; run: () => void; holdProcess: boolean }>();

  constructor(wall = Date.UTC(2026, 0, 1)) {
    this.#wall = wall;
  }

  readonly now = () => this.#wall;
  readonly monotonic = () => this.#monotonic;

  readonly after = (delayMs: number, run: () => void, holdProcess = true) => {
    const key = this.#order++;
    this.#timers.set(key, { at: this.#monotonic + Math.max(0, delayMs), run, holdProcess });
    return () => {
      this.#timers.delete(key);
    };
  };

  /** Moves both clocks and fires what is due on the way, in order. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].sort(([a, one], [b, other]) => one.at - other.at || a - b)[0];
      if (due === undefined || due[1].at > end) break;
      const [key, { at, run }] = due;
      this.#timers.delete(key);
      this.#moveTo(Math.max(at, this.#monotonic));
      run();
    }
    this.#moveTo(end);
    await settle();
  }

  /** What an administrator or NTP does: the wall clock alone. */
  setBack(ms: number): void {
    this.#wall -= ms;
  }

  setForward(ms: number): void {
    this.#wall += ms;
  }

  /** A laptop's lid: the wall clock goes on, the monotonic one and the timers do not. */
  sleep(ms: number): void {
    this.#wall += ms;
  }

  /** Timers that have not fired; those that hold the process alone, if asked. */
  pending(holding = false): number {
    return [...this.#timers.values()].filter((timer) => !holding || timer.holdProcess).length;
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}

/** Lets everything happen that waits for no clock. */
export async function settle(turns = 1): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
