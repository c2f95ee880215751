import { setImmediate } from "node:timers/promises";
import type { LakebaseEvent } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld } from "../contract/world.ts";

const world = createWorld(pgAdapter);
const second = 1000;
const claims = [{ permissionSet: "READ_ONLY" as const, tables: ["main.shop.orders"] }];

test("tokens of five minutes: an hour of a login every twenty seconds, none refused, and no more refreshes than needed", async () => {
  const { local } = world;
  const events: LakebaseEvent[] = [];
  await using pool = lakebasePool({
    env: local.env,
    clock: local.clock,
    max: 1,
    maxUses: 1,
    credential: { ttlSeconds: 300, claims },
    onEvent: (event) => events.push(event),
  });
  const lefts: number[] = [];
  for (let time = 0; time < 180; time += 1) {
    await pool.query("select 1");
    lefts.push(pool.lakebase.health().token?.remainingMs ?? 0);
    // A refresh behind the login is over before the clock moves on.
    while (pool.lakebase.health().refreshing) await setImmediate();
    local.clock.advance(20 * second);
  }
  expect(world.logins()).toHaveLength(180);
  expect(world.logins().every(({ outcome }) => outcome === "accepted")).toBe(true);
  expect(events.filter(({ type }) => type === "loginRejected" || type === "refreshFailed")).toEqual([]);
  expect(Math.min(...lefts)).toBeGreaterThan(0);
  // Half of a token's life is stale: a new one at 150 s of 300, with jitter and steps of twenty seconds.
  const refreshes = events.filter(({ type }) => type === "refresh").length;
  expect(refreshes).toBeGreaterThanOrEqual(12);
  expect(refreshes).toBeLessThanOrEqual(30);
  expect(world.requests("credential")).toHaveLength(refreshes);
  // Nobody but the first waited for a token.
  expect(pool.lakebase.health().counts.tokenWaits).toBe(1);
});

test("an idle pool of five-minute tokens asks for nothing, and waits once when it is used again", async () => {
  const { local } = world;
  await using pool = lakebasePool({
    env: local.env,
    clock: local.clock,
    max: 1,
    maxUses: 1,
    credential: { ttlSeconds: 300 },
  });
  await pool.query("select 1");
  local.clock.advance(3600 * second);
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  expect(world.requests("credential")).toHaveLength(1);
  await pool.query("select 1");
  expect(world.requests("credential")).toHaveLength(2);
  expect(world.logins().map(({ outcome }) => outcome)).toEqual(["accepted", "accepted"]);
});

test.each([300, 3600])("a life of %s seconds is what the token has", async (ttlSeconds) => {
  const { local } = world;
  const handle = world.handle({ credential: { ttlSeconds } });
  const { expiresAt } = await handle.credential();
  expect(Math.abs(expiresAt.getTime() - local.clock.now() - ttlSeconds * second)).toBeLessThan(5 * second);
});
