import { setImmediate } from "node:timers/promises";
import { type LakebasePool, lakebasePool } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

let local: LocalLakebase;
let pool: LakebasePool;

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());
beforeEach(() => {
  pool = lakebasePool({ env: local.env, clock: local.clock, max: 1 });
});
afterEach(() => pool.end());

test("a client that is given back twice is told so, also when somebody else holds it by then", async () => {
  const first = await pool.connect();
  const { release } = first;
  release();
  expect(() => release()).toThrow(/already been released/);
  const second = await pool.connect();
  expect(second).toBe(first);
  expect(() => release()).toThrow(/already been released/);
  expect(pool.idleCount).toBe(0);
  second.release();
  expect(pool.idleCount).toBe(1);
});

test.each(["terminate", "reset"] as const)(
  "a client whose connection ends by %s gives its place back, and may be given back late",
  async (how) => {
    const held = await pool.connect();
    const waiting = pool.query("select 1 as one");
    local.killConnections(how);
    expect((await waiting).rows).toEqual([{ one: 1 }]);
    await expect(held.query("select 1")).rejects.toThrow("not queryable");
    held.release();
    held.release();
    expect(pool.totalCount).toBe(1);
    expect((await pool.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
  },
);

test("a client that is ended by its holder gives its place back too", async () => {
  const held = await pool.connect();
  await held.end();
  expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  held.release();
});

test("a client tells once that the server has ended its session while a statement ran", async () => {
  const held = await pool.connect();
  const told: string[] = [];
  let ended = false;
  held.on("error", (error) => told.push((error as Error & { code: string }).code));
  held.on("end", () => {
    ended = true;
  });
  const running = held.query("select pg_terminate_backend(pg_backend_pid())");
  await expect(running).rejects.toMatchObject({ code: "57P01" });
  expect(told).toEqual(["57P01"]);
  while (!ended) await setImmediate();
  expect(told).toEqual(["57P01"]);
  held.release();
});

test("a login by direct TLS, which libpq's variable asks for, is one", async () => {
  vi.stubEnv("PGSSLNEGOTIATION", "direct");
  const client = await pool.connect();
  vi.unstubAllEnvs();
  expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  client.release();
});
