import type { MovableClock } from "./clock.ts";

/**
 * What a suspended compute does with those who come while it wakes.
 *
 * - `hold`: the login takes as long as the wake
 * - `starting-up`: refused with 57P03
 * - `refuse`: the connection is closed at once
 */
export type WakingBehaviour = "hold" | "starting-up" | "refuse";

/** Scale to zero: asleep until somebody comes, then awake after a while. */
export interface Compute {
  suspend(waking: WakingBehaviour): void;
  /** Somebody came. Starts the wake of a suspended compute; `undefined`: it is awake. */
  arrive(): WakingBehaviour | undefined;
  /** Settles when the compute is awake. */
  awake(signal: AbortSignal): Promise<void>;
  readonly state: "ACTIVE" | "IDLE" | "INIT";
}

export function createCompute(clock: MovableClock, wakeDelayMs: number): Compute {
  let asleep: { waking: WakingBehaviour; awakeAt: number | undefined } | undefined;
  const wakesIn = () => (asleep?.awakeAt === undefined ? 0 : asleep.awakeAt - clock.monotonic());

  const refresh = () => {
    if (asleep?.awakeAt !== undefined && wakesIn() <= 0) asleep = undefined;
  };

  return {
    suspend(waking) {
      asleep = { waking, awakeAt: undefined };
    },
    arrive() {
      refresh();
      if (asleep) asleep.awakeAt ??= clock.monotonic() + wakeDelayMs;
      refresh();
      return asleep?.waking;
    },
    async awake(signal) {
      while (!signal.aborted && this.arrive() !== undefined) await clock.sleep(wakesIn(), signal);
    },
    get state() {
      refresh();
      if (!asleep) return "ACTIVE";
      return asleep.awakeAt === undefined ? "IDLE" : "INIT";
    },
  };
}
