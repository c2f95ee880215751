import { expect, test } from "vitest";
import { createClock } from "./clock.ts";

test("moves the wall and the monotonic reading together", () => {
  const clock = createClock();
  const [now, monotonic] = [clock.now(), clock.monotonic()];
  clock.advance(3_600_000);
  expect(clock.now() - now).toBeGreaterThanOrEqual(3_600_000);
  expect(clock.now() - now).toBeLessThan(3_601_000);
  expect(clock.monotonic() - monotonic).toBeGreaterThanOrEqual(3_600_000);
});

test("ends the waits that lie inside a step, and no others", async () => {
  const clock = createClock();
  const ended: string[] = [];
  const short = clock.sleep(1_000).then(() => ended.push("short"));
  const abort = new AbortController();
  const long = clock.sleep(1_000_000, abort.signal).then(() => ended.push("long"));
  clock.advance(2_000);
  await short;
  expect(ended).toEqual(["short"]);
  abort.abort();
  await long;
  expect(ended).toEqual(["short", "long"]);
});

test("lets a wait end in real time too", async () => {
  await createClock().sleep(5);
  await createClock().sleep(1_000_000, AbortSignal.abort());
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("refuses a step of %s", (ms) => {
  expect(() => createClock().advance(ms)).toThrow(RangeError);
});
