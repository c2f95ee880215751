import { attachDatabasePool } from "@vercel/functions";
import { lakebasePool } from "@x/lakebase-core/pg";
import * as drizzle from "@x/lakebase-drizzle";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

/** Where Vercel keeps the request that is being answered, for its own functions to find. */
const requestContext = Symbol.for("@vercel/request-context");

let local: LocalLakebase;
beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());
afterEach(() => {
  vi.unstubAllEnvs();
  Reflect.deleteProperty(globalThis, requestContext);
});

test.each([
  ["core", lakebasePool],
  ["Drizzle's adapter", drizzle.lakebasePool],
])("Vercel keeps a function alive until the pool of %s has closed its idle connections", async (_name, make) => {
  vi.stubEnv("VERCEL_URL", "shop.vercel.app").stubEnv("VERCEL_REGION", "iad1");
  const held: Promise<unknown>[] = [];
  const request = { waitUntil: (promise: Promise<unknown>) => held.push(promise) };
  Object.assign(globalThis, { [requestContext]: { get: () => request } });

  const pool = make({ env: local.env, clock: local.clock, idleTimeoutMillis: 50 });
  attachDatabasePool(pool);
  const clients = await Promise.all([pool.connect(), pool.connect()]);
  expect(held).toHaveLength(0);
  for (const client of clients) client.release();
  expect(held).toHaveLength(2);
  expect(pool.idleCount).toBe(2);

  await Promise.all(held);
  expect(pool.totalCount).toBe(0);
  await pool.end();
});
