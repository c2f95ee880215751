import { setImmediate } from "node:timers/promises";
import {
  createLakebaseUsers,
  findLakebaseError,
  isLoginRejected,
  type Lakebase,
  type LakebaseUsersOptions,
} from "@x/lakebase-core";
import { type LakebasePool, lakebasePool } from "@x/lakebase-core/pg";
import { lakebasePool as drizzlePool } from "@x/lakebase-drizzle";
import { lakebaseKnexConfig } from "@x/lakebase-knex";
import { LakebaseDialect } from "@x/lakebase-kysely";
import { lakebasePostgres } from "@x/lakebase-postgres-js";
import { lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import knex from "knex";
import { Kysely, sql as kyselySql } from "kysely";
import { DataSource } from "typeorm";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Notebook, openNotebook } from "./notebook.ts";

let notebook: Notebook;
let ada: string;
let bob: string;
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  notebook = await openNotebook(4);
  [ada, bob] = notebook.people as [string, string];
});
afterAll(() => notebook[Symbol.asyncDispose]());
afterEach(async () => {
  notebook.local.faults.clear();
  await Promise.all(opened.splice(0).map((users) => users.close()));
  while ((await notebook.sessions()).sessions > 0) await setImmediate();
});

function usersOf<T>(open: (lakebase: Lakebase) => T | Promise<T>, options: LakebaseUsersOptions<T> = {}) {
  const { local } = notebook;
  const users = createLakebaseUsers<T>({ env: local.env, clock: local.clock, ...options }, open);
  opened.push(users);
  return users;
}

const pools = (options: LakebaseUsersOptions<LakebasePool> = {}) =>
  usersOf((lakebase) => lakebasePool({ lakebase, max: 2 }), options);
const who = async (pool: LakebasePool): Promise<string> => (await pool.query("select current_user as who")).rows[0].who;
const outcome = (promise: Promise<unknown>): Promise<Error & { code?: string }> =>
  promise.then(
    () => expect.unreachable(),
    (error) => error,
  );
const askedSince = (mark: number) => notebook.local.requests.slice(mark).map(({ operation }) => operation);

describe("what is opened for a user", () => {
  const hosts: Record<string, (lakebase: Lakebase) => Promise<{ who: () => Promise<string>; opened: object }>> = {
    "node-postgres": async (lakebase) => {
      const pool = lakebasePool({ lakebase, max: 2 });
      return { opened: pool, who: () => who(pool) };
    },
    Kysely: async (lakebase) => {
      const db = new Kysely({ dialect: new LakebaseDialect({ lakebase, max: 2 }) });
      const select = kyselySql<{ who: string }>`select current_user as who`;
      return { opened: db, who: async () => (await select.execute(db)).rows[0]?.who ?? "" };
    },
    Drizzle: async (lakebase) => {
      const db = drizzle({ client: drizzlePool({ lakebase, max: 2 }) });
      const select = drizzleSql`select current_user as who`;
      return { opened: db, who: async () => (await db.execute<{ who: string }>(select)).rows[0]?.who ?? "" };
    },
    Knex: async (lakebase) => {
      const db = knex(lakebaseKnexConfig({ lakebase, pool: { max: 2 } }));
      return { opened: db, who: async () => (await db.raw("select current_user as who")).rows[0].who };
    },
    TypeORM: async (lakebase) => {
      const source = new DataSource({ ...lakebaseDataSourceOptions({ lakebase }), poolSize: 2 });
      await source.initialize();
      return { opened: source, who: async () => (await source.query("select current_user as who"))[0].who };
    },
    "postgres.js": async (lakebase) => {
      const sql = lakebasePostgres({ lakebase, max: 2 });
      return { opened: sql, who: async () => (await sql`select current_user as who`)[0]?.who };
    },
  };

  test.each(Object.keys(hosts))("works with %s, and ends by itself when the user stays away", async (name) => {
    const whoIs = new Map<object, () => Promise<string>>();
    const users = usersOf(async (lakebase) => {
      const host = await (hosts[name] as (typeof hosts)[string])(lakebase);
      whoIs.set(host.opened, host.who);
      return host.opened;
    });
    const [forAda, forBob] = await Promise.all(
      [ada, bob].map(async (person) => users.for({ accessToken: await notebook.tokenOf(person) })),
    );
    expect(await whoIs.get(forAda as object)?.()).toBe(ada);
    expect(await whoIs.get(forBob as object)?.()).toBe(bob);
    expect(await notebook.sessions()).toEqual({ sessions: 2, people: 2 });
    notebook.local.clock.advance(301_000);
    await users.for({ accessToken: await notebook.tokenOf(notebook.people[2] as string) });
    while ((await notebook.sessions([ada, bob])).people > 0) await setImmediate();
    expect(users.health()).toMatchObject({ users: 1, counts: { opened: 3, ended: 2, endFailures: 0 } });
  });

  test("is reached without a look at the service's own identity", async () => {
    const mark = notebook.local.requests.length;
    expect(notebook.local.env).toMatchObject({ DATABRICKS_CLIENT_ID: expect.any(String), PGUSER: expect.any(String) });
    const users = pools();
    expect(await users.use({ accessToken: await notebook.tokenOf(ada) }, who)).toBe(ada);
    expect(askedSince(mark)).toEqual(["me", "credential"]);
  });

  test("belongs to who the workspace says, and not to who the token claims to be", async () => {
    const [header, payload, signature] = (await notebook.tokenOf(ada)).split(".") as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: bob })).toString("base64url");
    const users = pools();
    for (const accessToken of [`${header}.${forged}.${signature}`, `${header}.${forged}.`, "no-token-at-all"]) {
      const error = await outcome(users.for({ accessToken }));
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    }
    expect(users.health()).toMatchObject({ users: 0, counts: { opened: 0, refused: 3 } });
  });
});

describe("a user's token", () => {
  test("is replaced by a newer one without the end of a session, and an older one changes nothing", async () => {
    const { local } = notebook;
    const users = pools({ idleSeconds: 86_400 });
    const pid = (pool: LakebasePool) => pool.query("select pg_backend_pid() as pid").then(({ rows }) => rows[0].pid);
    const minted = () =>
      local.requests.filter(({ operation }) => operation === "credential").map(({ headers }) => headers.authorization);
    const first = await notebook.tokenOf(ada, 1800);
    const firstId = local.issued.at(-1)?.id;
    const session = await users.use({ accessToken: first }, pid);
    expect(minted().at(-1)).toBe(`Bearer ${firstId}`);
    const newer = await notebook.tokenOf(ada, 3600);
    const newerId = local.issued.at(-1)?.id;
    const older = await notebook.tokenOf(ada, 1200);
    expect(await users.use({ accessToken: newer }, pid)).toBe(session);
    expect(await users.use({ accessToken: older }, pid)).toBe(session);
    expect(minted().at(-1)).toBe(`Bearer ${firstId}`);
    // Another login needs another credential.
    local.revokeAll();
    const pool = await users.for({ accessToken: older });
    const both = await Promise.all([pool.connect(), pool.connect()]);
    const pids = await Promise.all(
      both.map((client) => client.query("select pg_backend_pid() as pid").then(({ rows }) => rows[0].pid)),
    );
    expect(pids).toContain(session);
    for (const client of both) client.release();
    expect(minted().at(-1)).toBe(`Bearer ${newerId}`);
  });

  test("that is revoked stops working within two minutes, and nobody else's does", async () => {
    const { local } = notebook;
    const users = pools();
    const accessToken = await notebook.tokenOf(ada);
    const id = local.issued.at(-1)?.id as string;
    const bobs = await notebook.tokenOf(bob);
    await users.use({ accessToken }, who);
    local.revoke(id);
    local.clock.advance(121_000);
    expect(await outcome(users.use({ accessToken }, who))).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect(await users.use({ accessToken: bobs }, who)).toBe(bob);
  });

  test("that is refused at mint gives way to another one of the same user", async () => {
    const { local } = notebook;
    const users = pools();
    const older = await notebook.tokenOf(ada, 1800);
    await users.for({ accessToken: older });
    const newer = await notebook.tokenOf(ada, 3600);
    const newerId = local.issued.at(-1)?.id as string;
    await users.for({ accessToken: newer });
    local.revoke(newerId);
    expect(await users.use({ accessToken: older }, who)).toBe(ada);
  });
});

describe("what a user lacks", () => {
  test("is the scope for Postgres, also inside an ORM's error, until a token has it", async () => {
    const { local } = notebook;
    const users = usersOf((lakebase) => drizzle({ client: drizzlePool({ lakebase, max: 1 }) }));
    const run = (db: ReturnType<typeof drizzle>) => db.execute(drizzleSql`select 1 as one`);
    const narrow = await local.issueWorkspaceToken(ada, { scopes: ["iam.current-user:read"], lifeSeconds: 1800 });
    const error = findLakebaseError(await outcome(users.use({ accessToken: narrow }, run)));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_MISSING_SCOPE" });
    expect(error?.message).toContain("scope `postgres`");
    const { rows } = await users.use({ accessToken: await notebook.tokenOf(ada) }, run);
    expect(rows).toEqual([{ one: 1 }]);
  });

  test("is the scope to be known at all", async () => {
    const accessToken = await notebook.local.issueWorkspaceToken(ada, { scopes: ["postgres"] });
    const error = await outcome(pools().for({ accessToken }));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_MISSING_SCOPE" });
    expect(error.message).toContain("scope `iam.current-user:read`");
  });

  test.each([
    ["endpoint", "XX000"],
    ["instance", "28P01"],
  ] as const)("is a Postgres role, in the words of an %s, until there is one", async (target, code) => {
    const { local } = notebook;
    const [person] = await local.addPeople([`no-role-on-${target}@example.com`], { role: false });
    const name = (person as { userName: string }).userName;
    const users = pools({ env: local.envFor(target) });
    const accessToken = await notebook.tokenOf(name);
    for (const again of [false, true]) {
      const error = await outcome(users.use({ accessToken }, who));
      expect(error, `again: ${again}`).toMatchObject({ code: "ERR_LAKEBASE_MISSING_ROLE", cause: { code } });
      expect(error.message).toContain(`databricks_create_role('${name}', 'USER')`);
      expect(isLoginRejected(error)).toBe(true);
    }
    const owner = lakebasePool({ env: local.env, clock: local.clock, max: 1 });
    await owner.query("create extension if not exists databricks_auth");
    await owner.query("select databricks_create_role($1, 'USER')", [name]);
    await owner.end();
    local.clock.advance(16_000);
    expect(await users.use({ accessToken }, who)).toBe(name);
  });

  test("is not made of what Postgres refuses for other reasons", async () => {
    const error = await outcome(
      pools().use({ accessToken: await notebook.tokenOf(ada) }, (pool) => pool.query("select * from pg_authid")),
    );
    expect(error).toMatchObject({ code: "42501" });
  });
});

describe("a place", () => {
  test("is given on only after what still runs in it", async () => {
    const users = pools({ maxUsers: 1, holdSeconds: 0 });
    const forAda = await users.for({ accessToken: await notebook.tokenOf(ada) });
    const client = await forAda.connect();
    await client.query("begin");
    let served = false;
    const forBob = users.for({ accessToken: await notebook.tokenOf(bob) }).finally(() => {
      served = true;
    });
    while (users.health().ending === 0) await setImmediate();
    expect((await client.query("select current_user as who")).rows).toEqual([{ who: ada }]);
    expect(users.health()).toMatchObject({ ending: 1, waiting: 1 });
    expect(await notebook.sessions()).toEqual({ sessions: 1, people: 1 });
    expect(served).toBe(false);
    await client.query("commit");
    client.release();
    expect(await who(await forBob)).toBe(bob);
  });

  test("is not taken from a caller who was just handed it", async () => {
    const { local } = notebook;
    const users = pools({ maxUsers: 1, idleSeconds: 1 });
    const forAda = await users.for({ accessToken: await notebook.tokenOf(ada) });
    const forBob = users.for({ accessToken: await notebook.tokenOf(bob) });
    const waits = async () => {
      while (users.health().waiting === 0) await setImmediate();
    };
    await Promise.race([waits(), forBob]);
    local.clock.advance(29_000);
    expect(await who(forAda)).toBe(ada);
    local.clock.advance(2000);
    expect(await who(await forBob)).toBe(bob);
    expect(users.health()).toMatchObject({ users: 1, counts: { opened: 2, ended: 1 } });
  });

  test("that does not become free in time is an error", async () => {
    const users = pools({ maxUsers: 1, connectTimeoutMs: 300 });
    const accessToken = await notebook.tokenOf(bob);
    await users.use({ accessToken: await notebook.tokenOf(ada) }, async (pool) => {
      const error = await outcome(users.for({ accessToken }));
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_TOO_MANY_USERS", retryable: true });
      expect(await who(pool)).toBe(ada);
    });
  });
});

test("no error and no look shows a token", async () => {
  const { local } = notebook;
  const users = pools();
  const { inspect } = await import("node:util");
  const shown: unknown[] = [];
  const narrow = await local.issueWorkspaceToken(ada, { scopes: ["iam.current-user:read"] });
  for (const accessToken of [narrow, await notebook.tokenOf(bob), "forged-token-canary"]) {
    shown.push(await users.use({ accessToken }, who).catch((error) => error));
  }
  shown.push(users, users.health());
  const text = shown.map((one) => `${inspect(one, { depth: 9, showHidden: true })} ${JSON.stringify(one)}`).join("\n");
  for (const secret of [...local.secrets(), "forged-token-canary"]) expect(text).not.toContain(secret);
  expect(text).toContain("ERR_LAKEBASE_MISSING_SCOPE");
});
