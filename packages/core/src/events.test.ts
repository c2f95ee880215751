import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, test } from "vitest";
import { settle } from "../test/fake-clock.ts";
import { type LakebaseEvent, lakebaseChannelName, publishEvent } from "./events.ts";

const event: LakebaseEvent = { type: "ignored", target: "host db.example", setting: "PGPASSWORD", reason: "why" };

test("tells the channel and the handle's own listener the same event", () => {
  const heard: unknown[] = [];
  const listen = (message: unknown) => heard.push(message);
  subscribe(lakebaseChannelName, listen);
  publishEvent(event, (message) => heard.push(message));
  unsubscribe(lakebaseChannelName, listen);
  publishEvent(event, undefined);
  expect(heard).toEqual([event, event]);
});

test("ignores a listener that throws", () => {
  expect(() =>
    publishEvent(event, () => {
      throw new Error("listener");
    }),
  ).not.toThrow();
});

test("ignores a listener whose promise is rejected", async () => {
  let handled = false;
  const promise = {
    // biome-ignore lint/suspicious/noThenProperty: stands for a promise, to see whether its rejection is heeded
    then(_resolve: unknown, reject: unknown) {
      handled ||= typeof reject === "function";
    },
  };
  publishEvent(event, () => promise as unknown as undefined);
  await settle();
  expect(handled).toBe(true);
});
