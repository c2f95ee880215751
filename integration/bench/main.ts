// What the library costs on top of the driver, both through the same local Lakebase. Absolute times on a shared machine
// swing by a factor of two; the median of paired ratios, in blocks of A B B A, does not (spread 0.02 in A/A runs).
import { createLakebase } from "@x/lakebase-core";
import { LakebaseClient, lakebasePool } from "@x/lakebase-core/pg";
import { lakebasePostgres } from "@x/lakebase-core/postgres-js";
import { startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import postgres from "postgres";

const local = await startLocalLakebase();
const lakebase = createLakebase({ env: local.env });
const { host, hostAddress, port, database, user, password, ssl } = await lakebase.connection();

/** The driver alone, with the token of this minute in its options and one TLS context for all. */
const driver = {
  ...{ port, database, user, password: password.reveal(), keepAlive: true },
  // The driver dials what it is told, so the name that TLS verifies is given beside it.
  ...{ host: hostAddress ?? host, ssl: { secureContext: ssl.secureContext, servername: host } },
};

type Run = () => Promise<unknown>;

/** Milliseconds of `count` runs, one after the other. */
async function clocked(run: Run, count: number): Promise<number> {
  const start = performance.now();
  for (let index = 0; index < count; index += 1) await run();
  return performance.now() - start;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function compare(what: string, ours: Run, theirs: Run, { blocks = 100, runs = 20 } = {}): Promise<void> {
  await clocked(ours, runs);
  await clocked(theirs, runs);
  const ratios: number[] = [];
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let block = 0; block < blocks; block += 1) {
    const a = await clocked(ours, runs);
    const b = (await clocked(theirs, runs)) + (await clocked(theirs, runs));
    const both = a + (await clocked(ours, runs));
    ratios.push(both / b);
    times.ours.push(both / 2 / runs);
    times.theirs.push(b / 2 / runs);
  }
  const show = (values: number[]) => `${median(values).toFixed(3)} ms`;
  console.log(`${what}: ${median(ratios).toFixed(3)} x (${show(times.ours)} against ${show(times.theirs)})`);
}

const pool = lakebasePool({ lakebase, max: 1 });
const plain = new pg.Pool({ ...driver, max: 1 });
await compare(
  "query on an open connection, ours / pg alone",
  () => pool.query("select 1"),
  () => plain.query("select 1"),
);
await compare(
  "login with a cached token, ours / pg alone with a fixed token",
  async () => {
    const client = new LakebaseClient({ lakebase });
    await client.connect();
    await client.end();
  },
  async () => {
    const client = new pg.Client(driver);
    await client.connect();
    await client.end();
  },
  { blocks: 15, runs: 5 },
);
await Promise.all([pool.end(), plain.end()]);

const sql = lakebasePostgres({ lakebase, max: 1 });
const plainSql = postgres({ ...driver, max: 1 });
await compare(
  "postgres.js: query on an open connection, ours / postgres.js alone",
  () => sql`select 1`,
  () => plainSql`select 1`,
);
await compare(
  "postgres.js: 20 000 rows, ours / postgres.js alone",
  () => sql`select g, repeat('x', 100) from generate_series(1, 20000) g`,
  () => plainSql`select g, repeat('x', 100) from generate_series(1, 20000) g`,
  { blocks: 20, runs: 2 },
);
await compare(
  "postgres.js: login with a cached token, ours / postgres.js alone with a fixed token",
  async () => {
    const client = lakebasePostgres({ lakebase, max: 1, fetch_types: false });
    await client`select 1`;
    await client.end();
  },
  async () => {
    const client = postgres({ ...driver, max: 1, fetch_types: false });
    await client`select 1`;
    await client.end();
  },
  { blocks: 15, runs: 5 },
);
await Promise.all([sql.end(), plainSql.end()]);

const before = local.requests.length;
const storm = lakebasePool({ env: local.env, max: 100 });
const start = performance.now();
await Promise.all(Array.from({ length: 100 }, () => storm.query("select pg_sleep(0.2)")));
const calls = local.requests.slice(before).map(({ operation }) => operation);
console.log(
  `100 first connections at once: ${calls.length} workspace calls (${calls.join(", ")}), ${(performance.now() - start).toFixed(0)} ms`,
);
await storm.end();

await lakebase.close();
await local.close();
