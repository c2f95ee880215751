import { execFile } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createLakebase, findLakebaseError, type LakebaseEvent } from "@x/lakebase-core";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { type LakebasePostgresOptions, lakebasePostgres } from "@x/lakebase-postgres-js";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

let local: LocalLakebase;
/** Postgres itself, without a login front. */
let observer: postgres.Sql;
const opened: postgres.Sql[] = [];
const events: LakebaseEvent[] = [];
let loginsBefore = 0;

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
  const { username, password, pathname, searchParams } = new URL(local.postgresUrl);
  observer = postgres({
    host: searchParams.get("host") ?? "",
    port: Number(searchParams.get("port")),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  });
});
afterAll(async () => {
  await observer.end();
  await local.close();
});
beforeEach(() => {
  events.length = 0;
  loginsBefore = local.logins.length;
});
afterEach(async () => {
  local.faults.clear();
  await Promise.all(opened.splice(0).map((sql) => sql.end()));
});

const onEvent = (event: LakebaseEvent) => void events.push(event);
const environment = () => ({ env: local.env, clock: local.clock, onEvent });
const outcomes = () => local.logins.slice(loginsBefore).map(({ outcome }) => outcome);

function open(options: LakebasePostgresOptions = {}): postgres.Sql {
  const sql = lakebasePostgres("lakebase" in options ? options : { ...environment(), ...options });
  opened.push(sql);
  return sql;
}

async function rejection(promise: PromiseLike<unknown>): Promise<Error & { code?: string }> {
  const outcome = await Promise.resolve(promise).then(
    () => new Error("expected a rejection"),
    (error) => error,
  );
  expect(outcome.message).not.toBe("expected a rejection");
  return outcome;
}

/** Postgres runs a statement with this text, or runs none any more. */
async function runs(statement: string, count = 1): Promise<void> {
  const running = () => observer`
    select 1 from pg_stat_activity
    where state = 'active' and query like ${`%${statement}%`} and pid <> pg_backend_pid()`;
  while ((await running()).length !== count) await setImmediate();
}

async function lost(count: number): Promise<void> {
  while (events.filter(({ type }) => type === "connectionLost").length < count) await setImmediate();
}

describe("a login that is refused once and replayed", () => {
  /** A client on a handle whose token was good and was revoked since: every first login on it is refused. */
  async function revoked(options: Partial<LakebasePostgresOptions> = {}): Promise<postgres.Sql> {
    const lakebase = createLakebase(environment());
    const first = open({ lakebase, max: 1 });
    await first`select 1`;
    await first.end();
    local.revokeAll();
    loginsBefore = local.logins.length;
    return open({ lakebase, max: 1, ...options } as LakebasePostgresOptions);
  }
  const wasReplayed = () => expect(outcomes()).toEqual(["refused", "accepted"]);

  test("serves a transaction, with a savepoint that is rolled back", async () => {
    const sql = await revoked();
    const rows = await sql.begin(async (tx) => {
      await tx`create temporary table replayed (id int)`;
      await tx`insert into replayed values (${1})`;
      await rejection(
        tx.savepoint(async (inner) => {
          await inner`insert into replayed values (2)`;
          throw new Error("only this");
        }),
      );
      return tx`select id from replayed`;
    });
    expect([...rows]).toEqual([{ id: 1 }]);
    wasReplayed();
  });

  test("serves a reserved connection", async () => {
    const sql = await revoked();
    const reserved = await sql.reserve();
    await reserved`set search_path to pg_catalog`;
    expect([...(await reserved`show search_path`)]).toEqual([{ search_path: "pg_catalog" }]);
    expect([...(await reserved.unsafe("select $1::int as n", [5]))]).toEqual([{ n: 5 }]);
    reserved.release();
    wasReplayed();
  });

  test("serves COPY in and out", async () => {
    const sql = await revoked();
    await sql`create temporary table copied (id int, label text)`;
    await pipeline(Readable.from(["1\tone\n", "2\ttwo\n"]), await sql`copy copied from stdin`.writable());
    expect(await text(await sql`copy copied to stdout`.readable())).toBe("1\tone\n2\ttwo\n");
    wasReplayed();
  });

  test("serves a cursor", async () => {
    const sql = await revoked();
    const sizes: number[] = [];
    for await (const rows of sql`select * from generate_series(1, 25)`.cursor(10)) sizes.push(rows.length);
    expect(sizes).toEqual([10, 10, 5]);
    wasReplayed();
  });

  test("serves a statement that is cancelled, without a token for the request", async () => {
    const sql = await revoked();
    const running = sql`select pg_sleep(32)`;
    const cancelled = rejection(running);
    await runs("pg_sleep(32)");
    // No new token is to be had any more; the request must get through all the same.
    local.faults.api({ kind: "status", status: 503 });
    local.clock.advance(3_700_000);
    running.cancel();
    expect((await cancelled).code).toBe("57014");
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    wasReplayed();
  });

  test("serves a listener", async () => {
    const sql = await revoked();
    const heard: string[] = [];
    const { unlisten } = await sql.listen("replayed", (payload) => heard.push(payload));
    wasReplayed();
    await sql.notify("replayed", "hello");
    while (heard.length === 0) await setImmediate();
    expect(heard).toEqual(["hello"]);
    await unlisten();
  });
});

test("listens again by itself when its connection is lost", async () => {
  const sql = open({ max: 1 });
  const heard: string[] = [];
  let listening = 0;
  await sql.listen(
    "survivor",
    (payload) => heard.push(payload),
    () => {
      listening += 1;
    },
  );
  local.killConnections("terminate");
  local.revokeAll();
  while (listening < 2) await setImmediate();
  await sql.notify("survivor", "still here");
  while (heard.length === 0) await setImmediate();
  expect(heard).toEqual(["still here"]);
});

describe("a large result", () => {
  const megabytes = 100;
  const rows = `select nextval('progress')::int as n, repeat('x', 1000) as pad from generate_series(1, ${megabytes * 1000})`;
  /** How far the server is, which goes on by itself while there is room in buffers. */
  async function serverReached(): Promise<number> {
    const [row] = await observer`select last_value::int as n from progress`;
    return row?.n;
  }
  beforeEach(async () => {
    await observer`create sequence progress`;
    await observer`grant all on sequence progress to public`;
  });
  afterEach(async () => {
    await observer`drop sequence progress`;
  });

  test("stays at the server while a cursor's reader rests", async () => {
    let read = 0;
    for await (const found of open({ max: 1 }).unsafe(rows).cursor(100)) {
      read += found.length;
      for (let look = 0; look < 50; look += 1) expect(await serverReached()).toBe(read);
      if (read === 500) break;
    }
  });

  test("stays at the server while nobody reads a COPY", async () => {
    const out = await open({ max: 1 }).unsafe(`copy (${rows}) to stdout`).readable();
    await new Promise((resolve) => out.once("readable", resolve));
    // In this time it could send all of it.
    for (let look = 0; look < 3000; look += 1) expect(await serverReached()).toBeLessThan((megabytes * 1000) / 4);
    let bytes = 0;
    for await (const chunk of out) bytes += chunk.length;
    expect(bytes).toBeGreaterThan(megabytes * 1_000_000);
  });

  test("does not gather in memory while `forEach` reads it", async () => {
    const sql = open({ max: 1 });
    await sql`select 1`;
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const held = () => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers;
    };
    const before = held();
    let [most, read] = [0, 0];
    await sql.unsafe(rows).forEach(() => {
      read += 1;
      if (read % 10_000 === 0) most = Math.max(most, held() - before);
    });
    expect(read).toBe(megabytes * 1000);
    expect(most).toBeLessThan((megabytes * 1_000_000) / 3);
  });
});

test("sends without delay, and keeps idle connections alive", async () => {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown) => sockets.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", onSocket);
  await open({ max: 1 })`select 1`;
  unsubscribe("net.client.socket", onSocket);
  const ours = sockets.filter(({ remotePort }) => remotePort === local.port);
  expect(ours).toHaveLength(1);
  const settings = Object.fromEntries(
    Object.getOwnPropertySymbols(ours[0]).map((key) => [key.description, (ours[0] as never)[key]]),
  );
  expect(settings).toMatchObject({ kSetNoDelay: true, kSetKeepAlive: true, kSetKeepAliveInitialDelay: 60 });
});

/** How a session ended, as its statements are told: by the server's last word, unless the connection was over before it. */
const codeOfEnd = { terminate: expect.stringMatching(/^(57P01|CONNECTION_CLOSED)$/), reset: "ECONNRESET" };

describe("a session that is lost", () => {
  test.each(["terminate", "reset"] as const)("by %s fails what runs on it, and nothing after", async (how) => {
    const sql = open({ max: 1 });
    await sql`select 1`;
    const failed = rejection(sql`select pg_sleep(${33}) as ${sql(`plain_${how}`)}`);
    await runs(`plain_${how}`);
    local.killConnections(how);
    expect((await failed).code).toEqual(codeOfEnd[how]);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    expect(events.filter(({ type }) => type === "connectionLost")).toMatchObject([
      { code: how === "terminate" ? expect.toBeOneOf(["57P01", undefined]) : "ECONNRESET" },
    ]);
  });

  test.each(["terminate", "reset"] as const)("by %s ends its transaction amid a statement", async (how) => {
    const sql = open({ max: 1 });
    const failed = rejection(
      sql.begin(async (tx) => {
        await tx`create table amid (id int)`;
        await tx`select pg_sleep(${34}) as ${sql(`amid_${how}`)}`;
      }),
    );
    await runs(`amid_${how}`);
    local.killConnections(how);
    expect((await failed).code).toEqual(codeOfEnd[how]);
    expect(await sql`select to_regclass('amid') as found`).toEqual([{ found: null }]);
  });

  test("never lets its transaction's statements into another session", async () => {
    const sql = open({ max: 1 });
    await sql`create table mixed (id int)`;
    let goOn = () => {};
    const first = rejection(
      sql.begin(async (tx) => {
        await tx`insert into mixed values (1)`;
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        await rejection(tx`insert into mixed values (2)`);
        await rejection(tx.savepoint((inner) => inner`insert into mixed values (3)`));
        await tx`insert into mixed values (${4})`;
      }),
    );
    while ((await observer`select 1 from pg_stat_activity where state = 'idle in transaction'`).length === 0);
    local.killConnections("terminate");
    await lost(1);
    const second = sql.begin((tx) => tx`insert into mixed values (5)`);
    goOn();
    expect((await first).code).toEqual(codeOfEnd.terminate);
    await second;
    expect(await sql`select id from mixed`).toEqual([{ id: 5 }]);
    await sql`drop table mixed`;
  });

  test.each(["terminate", "reset"] as const)(
    "by %s fails a reservation's statements, and frees its place",
    async (how) => {
      const sql = open({ max: 1 });
      const reserved = await sql.reserve();
      const failed = [
        reserved`select pg_sleep(${35}) as ${sql(`reserved_${how}`)}`,
        reserved`select 1`,
        reserved.unsafe("select 2"),
      ].map(rejection);
      await runs("pg_sleep($1)");
      local.killConnections(how);
      await Promise.all(failed);
      await rejection(reserved`select 3`);
      if (how === "reset") expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
      reserved.release();
      expect(await Promise.all([sql`select 1 as one`, sql`select 2 as two`])).toEqual([[{ one: 1 }], [{ two: 2 }]]);
      const another = await sql.reserve();
      expect(await another`select 4 as four`).toEqual([{ four: 4 }]);
      another.release();
    },
  );

  test("fails a reservation that has said nothing yet, and ends nothing else", async () => {
    const sql = open({ max: 2 });
    const [reserved, idle] = [await sql.reserve(), await sql.reserve()];
    local.killConnections("terminate");
    await lost(2);
    expect((await rejection(reserved`select 1`)).code).toEqual(codeOfEnd.terminate);
    idle.release();
    reserved.release();
    const rows = await Promise.all([sql`select 1 as one`, sql`select 1 as one`, sql`select 1 as one`]);
    expect(rows).toEqual([[{ one: 1 }], [{ one: 1 }], [{ one: 1 }]]);
  });

  test("does not keep `end()` waiting", async () => {
    const sql = open({ max: 1 });
    const failed = rejection(sql`select pg_sleep(36)`);
    await runs("pg_sleep(36)");
    const ended = sql.end();
    local.killConnections("terminate");
    await failed;
    await ended;
  });
});

describe("a login that fails", () => {
  test("is told with postgres.js' own error when Postgres refuses it", async () => {
    local.faults.login({ kind: "refuse", sqlState: "3D000", message: "no such database", times: 1 });
    const sql = open({ max: 1 });
    const error = await rejection(sql`select ${1}`);
    expect(error).toBeInstanceOf(postgres.PostgresError);
    expect(error).toMatchObject({ code: "3D000", message: "no such database", severity_local: expect.any(String) });
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test("gives each statement an error of its own", async () => {
    local.faults.api({ on: "credential", kind: "status", status: 403 });
    const sql = open({ max: 2 });
    const errors = await Promise.all([1, 2].map((n) => rejection(sql`select ${n}`)));
    expect(errors.map((error) => (error as { args?: unknown }).args)).toEqual([[1], [2]]);
    for (const error of errors) expect(findLakebaseError(error)?.code).toBe("ERR_LAKEBASE_PERMISSION_DENIED");
  });

  test("rejects a reservation and a listener too", async () => {
    local.faults.api({ on: "credential", kind: "status", status: 403 });
    const sql = open({ max: 1 });
    const failed = [sql.reserve(), sql.listen("nobody", () => {}), sql.begin((tx) => tx`select 1`)].map(rejection);
    for (const error of await Promise.all(failed)) {
      expect(findLakebaseError(error)?.code).toBe("ERR_LAKEBASE_PERMISSION_DENIED");
    }
    local.faults.clear();
    local.clock.advance(20_000);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test("is given up at once by `end({ timeout: 0 })`", async () => {
    const fault = local.faults.api({ on: "credential", kind: "hang" });
    const sql = open({ max: 1 });
    const failed = rejection(sql`select 1`);
    while (fault.hits === 0) await setImmediate();
    await sql.end({ timeout: 0 });
    expect((await failed).code).toBe("CONNECTION_DESTROYED");
  });
});

test("reads no setting of a connection from the environment that it was not given", async () => {
  const others = {
    PGTARGETSESSIONATTRS: "any",
    PGPASSWORD: "x",
    PGSSL: "prefer",
    PGMAX: "0",
    PGCONNECT_TIMEOUT: "0.001",
  };
  const program = new URL("../contract/program.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [program, "postgres-js", "query"], {
    env: { PATH: process.env.PATH, ...others, ...local.env },
  });
  expect(stdout).toBe("1\n");
});

test("passes PGOPTIONS and parameters of the startup packet on", async () => {
  const env = { ...local.env, PGOPTIONS: "-c work_mem=7MB" };
  const settings = (sql: postgres.Sql) =>
    sql`select current_setting('work_mem') as memory, current_setting('statement_timeout') as timeout`;
  expect(await settings(open({ env, connection: { statement_timeout: 1234 } }))).toEqual([
    { memory: "7MB", timeout: "1234ms" },
  ]);
  expect(await settings(open({ env, connection: { options: "-c work_mem=9MB" } }))).toMatchObject([{ memory: "9MB" }]);
});

test("names the host that it was told by the workspace in postgres.js' own errors", async () => {
  const { PGHOST: _, ...env } = local.env;
  const sql = open({ env, max: 1 });
  await sql`select 1`;
  expect(sql.options.host).toEqual([local.host]);
  await sql.end();
  expect((await rejection(sql`select 1`)).message).toContain(local.host);
});

test("leaves custom types, transforms and notices to postgres.js", async () => {
  const notices: postgres.Notice[] = [];
  const sql = lakebasePostgres({
    ...environment(),
    types: { bigint: postgres.BigInt },
    transform: postgres.camel,
    onnotice: (notice) => notices.push(notice),
  });
  const [row] = await sql`select 9007199254740993::int8 as big_number, ${sql.typed.bigint(5n)} as typed`;
  expect(row).toEqual({ bigNumber: 9007199254740993n, typed: 5n });
  await sql`do $do$ begin raise notice 'mind'; end $do$`;
  expect(notices).toMatchObject([{ message: "mind" }]);
  await sql.end();
});
