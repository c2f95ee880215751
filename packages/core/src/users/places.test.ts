import { expect, test } from "vitest";
import { Places } from "./places.ts";

const never = new AbortController().signal;

test("places are given in the order in which they were asked for", async () => {
  const places = new Places(1);
  const order: number[] = [];
  const all = [1, 2, 3].map((number) => places.enter(never).then(() => order.push(number)));
  await all[0];
  expect([order, places.waiting]).toEqual([[1], 2]);
  places.leave();
  await all[1];
  places.leave();
  await all[2];
  expect([order, places.waiting]).toEqual([[1, 2, 3], 0]);
});

test("who gives up waiting leaves the queue, and takes no place", async () => {
  const places = new Places(1);
  await places.enter(never);
  const impatient = new AbortController();
  const given = places.enter(impatient.signal);
  const patient = places.enter(never);
  impatient.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  expect(places.waiting).toBe(1);
  places.leave();
  await patient;
  await expect(places.enter(impatient.signal)).rejects.toThrow("enough");
  places.leave();
  await places.enter(never);
});

test("a place that was got stays got when the signal ends afterwards", async () => {
  const places = new Places(1);
  await places.enter(never);
  const controller = new AbortController();
  const next = places.enter(controller.signal);
  places.leave();
  controller.abort(new Error("late"));
  await next;
  expect(places.waiting).toBe(0);
  const waiting = places.enter(never);
  expect(places.waiting).toBe(1);
  places.leave();
  await waiting;
});
