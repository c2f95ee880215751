import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { credential, openClient, until } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

test("holds 200 sessions at once", async () => {
  const password = await credential(lakebase);
  const clients = await Promise.all(Array.from({ length: 200 }, () => openClient(lakebase, { password })));
  expect(lakebase.sessions()).toBe(200);
  const answers = await Promise.all(clients.map((client, n) => client.query("SELECT $1::int AS n", [n])));
  expect(answers.map(({ rows }) => rows[0].n)).toEqual(clients.map((_, n) => n));
  await Promise.all(clients.map((client) => client.end()));
  await until(() => lakebase.sessions() === 0);
});

test("holds a large result back while its reader is paused", async () => {
  const client = await openClient(lakebase, { password: await credential(lakebase) });
  const { connection } = client as unknown as { connection: { stream: NodeJS.ReadableStream } };
  const { processID } = client as pg.Client & { processID: number };
  let rows = 0;
  const query = new pg.Query("SELECT repeat('x', 10000) FROM generate_series(1, 30000)");
  query.on("row", () => {
    rows += 1;
    if (rows === 1) connection.stream.pause();
  });
  const ended = new Promise((resolve, reject) => query.on("end", resolve).on("error", reject));
  const before = process.memoryUsage().rss;
  client.query(query);
  const inspector = new pg.Client(lakebase.postgresUrl);
  await inspector.connect();
  // Postgres itself stands still, look after look: nobody between it and the reader takes any more.
  let looks = 0;
  await until(async () => {
    const { rows } = await inspector.query("SELECT wait_event FROM pg_stat_activity WHERE pid = $1", [processID]);
    looks = rows[0]?.wait_event === "ClientWrite" ? looks + 1 : 0;
    return looks === 50;
  });
  const paused = rows;
  const growth = process.memoryUsage().rss - before;
  expect(paused).toBeLessThan(3000);
  expect(growth).toBeLessThan(100 * 1024 * 1024);
  connection.stream.resume();
  await ended;
  expect(rows).toBe(30_000);
  await inspector.end();
  await client.end();
});
