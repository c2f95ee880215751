/** Lets work in until it is closed, and knows when the last that was in has left. */
export class Turnstile {
  #inside = 0;
  #closed: { opened: Promise<void>; open: () => void } | undefined;
  #empty: (() => void) | undefined;

  /** Does the work as soon as the turnstile is open. */
  async pass<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#closed) await this.#closed.opened;
    this.#inside += 1;
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#empty?.();
    }
  }

  /** Lets nobody in any more; settles when nobody is inside. */
  async close(): Promise<void> {
    const { promise: opened, resolve: open } = withResolvers();
    this.#closed = { opened, open };
    if (this.#inside === 0) return;
    const { promise: empty, resolve } = withResolvers();
    this.#empty = resolve;
    await empty;
  }

  open(): void {
    this.#closed?.open();
    this.#closed = undefined;
    this.#empty = undefined;
  }
}

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
