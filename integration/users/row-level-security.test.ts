import { setImmediate } from "node:timers/promises";
import { createLakebaseUsers } from "@x/lakebase-core";
import { type LakebasePool, lakebasePool } from "@x/lakebase-core/pg";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Note, type Notebook, openNotebook } from "./notebook.ts";

const maxUsers = 50;
const connectionsEach = 2;

let notebook: Notebook;

beforeAll(async () => {
  notebook = await openNotebook(500);
});
afterAll(() => notebook[Symbol.asyncDispose]());

/** What one request does as its person. */
interface Visit {
  readonly person: number;
  /** Whether it holds its pool by use(), or takes it by for(). */
  readonly holds: boolean;
  readonly token: "same" | "new";
  readonly queries: readonly ("plain" | "transaction" | "twice at once")[];
}

const visitOf = (people: number) =>
  fc.record<Visit>({
    person: fc.nat(people - 1),
    holds: fc.boolean(),
    token: fc.constantFrom("same", "same", "new"),
    queries: fc.array(fc.constantFrom("plain", "transaction", "twice at once"), { minLength: 1, maxLength: 3 }),
  });

/** The application: runs visits, at most so many at a time, and looks at all that they were given. */
function openApplication(limit: number, holdSeconds: number) {
  const { local, people, notesEach } = notebook;
  const made: LakebasePool[] = [];
  const tokens = new Map<string, string>();
  const most = { sessions: 0, people: 0, users: 0, pools: 0 };
  const users = createLakebaseUsers(
    { env: local.env, clock: local.clock, maxUsers: limit, holdSeconds, applicationName: "acme+lakebase" },
    (lakebase) => {
      const pool = lakebasePool({ lakebase, max: connectionsEach });
      made.push(pool);
      return pool;
    },
  );
  let foreign = 0;
  let seen = 0;
  let handedOut = 0;

  async function look(pool: LakebasePool, person: string, query: Visit["queries"][number]): Promise<void> {
    // No `where`: it is the server that keeps people apart.
    const select = "select owner, body, current_user::text as reader from notes";
    const answers: { rows: (Note & { reader: string })[] }[] = [];
    if (query === "transaction") {
      const client = await pool.connect();
      try {
        await client.query("begin");
        answers.push(await client.query(select), await client.query(select));
        await client.query("rollback");
      } finally {
        client.release();
      }
    } else answers.push(...(await Promise.all((query === "plain" ? [1] : [1, 2]).map(() => pool.query(select)))));
    for (const { rows } of answers) {
      expect(rows).toHaveLength(notesEach);
      seen += rows.length;
      foreign += rows.filter(({ owner, reader }) => owner !== person || reader !== person).length;
    }
  }

  async function visit({ person: index, holds, token, queries }: Visit): Promise<void> {
    const person = people[index] as string;
    const accessToken = (token === "same" && tokens.get(person)) || (await notebook.tokenOf(person, 86_400));
    tokens.set(person, accessToken);
    if (holds) {
      await users.use({ accessToken }, async (pool) => {
        for (const query of queries) await look(pool, person, query);
      });
    } else {
      const pool = await users.for({ accessToken });
      handedOut += 1;
      for (const query of queries) await look(pool, person, query);
      handedOut -= 1;
    }
  }

  return {
    users,
    most,
    counts: () => ({ foreign, seen, made: made.length }),
    async run(visits: readonly Visit[], atOnce: number): Promise<void> {
      const queue = [...visits];
      let done = false;
      const watching = (async () => {
        while (!done) {
          const now = await notebook.sessions();
          const { users: count, ending, waiting } = users.health();
          most.sessions = Math.max(most.sessions, now.sessions, local.sessions());
          most.people = Math.max(most.people, now.people);
          most.users = Math.max(most.users, count + ending);
          most.pools = Math.max(most.pools, made.filter((pool) => !pool.ended).length);
          // Time passes for those who wait, but not for those who were handed a pool and are not done with it.
          if (holdSeconds === 0 || waiting === 0) continue;
          // By then whoever was just handed a pool knows it, and is counted.
          await setImmediate();
          if (users.health().waiting > 0 && handedOut === 0) local.clock.advance(1000 * holdSeconds);
        }
      })();
      const worker = async () => {
        for (let next = queue.shift(); next; next = queue.shift()) await visit(next);
      };
      try {
        await Promise.all(Array.from({ length: atOnce }, worker));
      } finally {
        done = true;
        await watching;
      }
    },
  };
}

describe("on behalf of 500 people with 50 places", () => {
  test("everybody is served, nobody sees a row of another, and sessions stay bounded", {
    timeout: 300_000,
  }, async () => {
    const application = openApplication(maxUsers, 0);
    const { users, most } = application;
    // Everybody comes at least once; the order and what they do is fast-check's.
    const visits = fc.sample(fc.shuffledSubarray([...notebook.people.keys()], { minLength: 500 }), {
      numRuns: 1,
      seed: 7,
    });
    const shapes = fc.sample(visitOf(500), { numRuns: 500, seed: 7 });
    const everybody = (visits[0] as number[]).map((person, index) => ({
      ...(shapes[index] as Visit),
      person,
      holds: true,
    }));
    const begun = performance.now();
    await application.run(everybody, 100);
    const seconds = (performance.now() - begun) / 1000;
    const { foreign, seen, made } = application.counts();
    console.log(
      `500 people, ${maxUsers} places: ${seen} rows, ${foreign} of others; at most ${most.sessions} sessions of ${most.people} people, ${most.users} users, ${most.pools} pools; ${made} pools made in ${seconds.toFixed(1)} s`,
    );
    expect(foreign).toBe(0);
    expect(seen).toBeGreaterThanOrEqual(500 * notebook.notesEach);
    expect(made).toBeGreaterThanOrEqual(500);
    expect(most.users).toBeLessThanOrEqual(maxUsers);
    expect(most.people).toBeLessThanOrEqual(maxUsers);
    expect(most.pools).toBeLessThanOrEqual(maxUsers);
    expect(most.sessions).toBeLessThanOrEqual(maxUsers * connectionsEach);
    // The bound was really reached, so the test has seen what it is about.
    expect(most.users).toBe(maxUsers);
    await users.close();
    expect(users.health()).toMatchObject({
      users: 0,
      ending: 0,
      counts: { opened: made, ended: made, endFailures: 0 },
    });
    while ((await notebook.sessions()).sessions > 0) await setImmediate();
  });
});

test("whatever the order of requests, people, tokens and ends, nobody sees a row of another", {
  timeout: 300_000,
}, async () => {
  const limit = 4;
  const plan = fc.record({
    visits: fc.array(visitOf(12), { minLength: 1, maxLength: 40 }),
    atOnce: fc.integer({ min: 1, max: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ visits, atOnce }) => {
      const application = openApplication(limit, 30);
      await application.run(visits, atOnce);
      expect(application.counts().foreign).toBe(0);
      expect(application.most.users).toBeLessThanOrEqual(limit);
      expect(application.most.sessions).toBeLessThanOrEqual(limit * connectionsEach);
      await application.users.close();
      while ((await notebook.sessions()).sessions > 0) await setImmediate();
    }),
    { numRuns: 12, endOnFailure: true },
  );
});
