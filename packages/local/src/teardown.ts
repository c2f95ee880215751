/** What has to be undone, the last thing first; every step is tried, and only once. */
export interface Teardown {
  add(step: () => unknown): void;
  run(): Promise<void>;
}

export function createTeardown(): Teardown {
  const steps: (() => unknown)[] = [];
  let running: Promise<void> | undefined;
  const runAll = async () => {
    const failures: unknown[] = [];
    for (let step = steps.pop(); step; step = steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "the local Lakebase did not close cleanly");
  };
  return {
    add: (step) => void steps.push(step),
    run() {
      running ??= runAll();
      return running;
    },
  };
}
