/** A fault that has been set. */
export interface FaultHandle {
  /** Takes the fault away. What it already holds (a hanging request) is let go by its client or by `close()`. */
  clear(): void;
  /** How often it has been met. */
  readonly hits: number;
}

interface Entry<Fault> {
  fault: Fault;
  left: number;
  hits: number;
}

/** Faults in the order in which they were set; the oldest that fits is met first. */
export interface FaultList<Fault> {
  add(fault: Fault & { times?: number }): FaultHandle;
  take(fits: (fault: Fault) => boolean): Fault | undefined;
  clear(): void;
}

export function createFaultList<Fault>(): FaultList<Fault> {
  let entries: Entry<Fault>[] = [];
  return {
    add(fault) {
      const { times = Number.POSITIVE_INFINITY } = fault;
      if (!(times > 0)) throw new RangeError(`times must be one or more, not ${times}`);
      const entry: Entry<Fault> = { fault, left: times, hits: 0 };
      entries.push(entry);
      return {
        clear() {
          entries = entries.filter((other) => other !== entry);
        },
        get hits() {
          return entry.hits;
        },
      };
    },
    take(fits) {
      const entry = entries.find(({ left, fault }) => left > 0 && fits(fault));
      if (!entry) return undefined;
      entry.left -= 1;
      entry.hits += 1;
      return entry.fault;
    },
    clear() {
      entries = [];
    },
  };
}
