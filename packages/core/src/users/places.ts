/** A bounded number of places, given out in the order in which they were asked for. */
export class Places {
  readonly #most: number;
  readonly #queue = new Set<() => void>();
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Takes a place as soon as one is free. An abort ends the wait with its reason; a place that was got stays got. */
  enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#taken < this.#most) {
      this.#taken += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#queue.delete(admit);
        reject(signal.reason);
      };
      const admit = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      this.#queue.add(admit);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Gives a place back, to the one who has waited longest. */
  leave(): void {
    const [next] = this.#queue;
    if (next === undefined) this.#taken -= 1;
    else {
      this.#queue.delete(next);
      next();
    }
  }
}
