import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../test/fake-clock.ts";
import { watch } from "../test/fake-workspace.ts";
import { completeClock, systemClock } from "./clock.ts";
import { pause, withDeadline } from "./deadline.ts";

const late = new Error("late");
const setUp = (clock: FakeClock, signal?: AbortSignal) => ({ clock, timeoutMs: 1000, signal, expired: () => late });

describe("withDeadline", () => {
  test("answers what the work answers, and leaves no timer and no listener", async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    expect(await withDeadline(setUp(clock, signal), async () => "done")).toBe("done");
    expect(clock.pending()).toBe(0);
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("work"))],
    [
      "throws at once",
      () => {
        throw new Error("work");
      },
    ],
  ])("fails as work that %s fails, and tells what it left running to stop", async (_name, run) => {
    const clock = new FakeClock();
    let told: AbortSignal | undefined;
    const work = withDeadline(setUp(clock), (signal) => {
      told = signal;
      return run() as Promise<never>;
    });
    await expect(work).rejects.toThrow("work");
    expect(clock.pending()).toBe(0);
    expect(told?.aborted).toBe(true);
  });

  test("ends work that does not listen", async () => {
    const clock = new FakeClock();
    const state = watch(withDeadline(setUp(clock), () => new Promise(() => {})));
    await clock.advance(999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect((await state.now()).error).toBe(late);
  });

  test("lets work that listens end in its own words", async () => {
    const clock = new FakeClock();
    const own = new Error("own words");
    const work = (signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(own)));
    const state = watch(withDeadline(setUp(clock), work));
    await clock.advance(1000);
    expect((await state.now()).error).toBe(own);
  });

  test("ends with the reason of the caller's signal, before or during the work", async () => {
    const clock = new FakeClock();
    const reason = new Error("patience");
    let begun = false;
    const work = () => {
      begun = true;
      return new Promise<never>(() => {});
    };
    await expect(withDeadline(setUp(clock, AbortSignal.abort(reason)), work)).rejects.toBe(reason);
    expect(begun).toBe(false);
    const controller = new AbortController();
    const state = watch(withDeadline(setUp(clock, controller.signal), work));
    controller.abort(reason);
    expect((await state.now()).error).toBe(reason);
    expect(clock.pending()).toBe(0);
  });

  test("is not disturbed by work that fails after its end", async () => {
    const clock = new FakeClock();
    let fail: (error: Error) => void = () => {};
    const state = watch(
      withDeadline(
        setUp(clock),
        () =>
          new Promise((_resolve, reject) => {
            fail = reject;
          }),
      ),
    );
    await clock.advance(1000);
    expect((await state.now()).error).toBe(late);
    fail(new Error("afterwards"));
    await settle(2);
  });
});

describe("pause", () => {
  test("ends in time, or at once when there is nothing to wait for", async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    await pause(clock, 0, signal);
    await pause(clock, -5, signal);
    await pause(clock, Number.NEGATIVE_INFINITY, signal);
    const state = watch(pause(clock, 100, signal));
    await clock.advance(99);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(state.settled).toBe(true);
  });

  test("ends at an abort with its reason, and leaves no timer", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const reason = new Error("patience");
    const state = watch(pause(clock, 100, controller.signal));
    controller.abort(reason);
    expect((await state.now()).error).toBe(reason);
    expect(clock.pending()).toBe(0);
    await expect(pause(clock, 100, controller.signal)).rejects.toBe(reason);
  });
});

describe("completeClock", () => {
  test("is the system's where none is given", () => {
    expect(completeClock(undefined)).toBe(systemClock);
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
  });

  test("counts the wall clock as monotonic where a clock has no other, and keeps its `this`", () => {
    const clock = completeClock({
      now() {
        return this === undefined ? Number.NaN : 42;
      },
    });
    expect([clock.now(), clock.monotonic()]).toEqual([42, 42]);
  });

  test("has real timers that can be taken back", async () => {
    let runs = 0;
    const cancel = systemClock.after(0, () => runs++, false);
    cancel();
    await new Promise<void>((resolve) => systemClock.after(1, resolve));
    expect(runs).toBe(0);
  });
});

test("the clock of these tests fires timers in order and never early", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(100), { maxLength: 10 }), fc.nat(100), async (delays, ms) => {
      const clock = new FakeClock();
      const fired: number[] = [];
      for (const delay of delays) clock.after(delay, () => fired.push(delay));
      await clock.advance(ms);
      expect(fired).toEqual(delays.filter((delay) => delay <= ms).sort((a, b) => a - b));
    }),
  );
});
