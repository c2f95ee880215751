import { inspect } from "node:util";
import fc from "fast-check";
import { beforeAll, describe, expect, expectTypeOf, test, vi } from "vitest";
import { settle } from "../test/fake-clock.ts";
import { databaseHost, failure, fakeWorkspace, json, paths, watch } from "../test/fake-workspace.ts";
import { resolveConfig } from "./config.ts";
import { accessToken } from "./identity/access-token.ts";
import { internalsOf, type Lakebase } from "./lakebase.ts";
import { isLoginRejected } from "./login-errors.ts";
import { createSecret } from "./secret.ts";
import { createLakebaseUsers, type LakebaseUsersOptions } from "./users.ts";

const endpoint = "projects/shop/branches/production/endpoints/primary";
const second = 1000;
const minute = 60 * second;

// Loaded by the first use, which the clock of a test does not wait for.
beforeAll(() => Promise.all([import("./users/people.ts"), import("./handle.ts"), import("./login.ts")]));

/** What a test opens for a user. */
interface Opened {
  readonly handle: Lakebase;
  ended: number;
  /** Set by a test whose end takes its time, or fails. */
  ending: Promise<void> | undefined;
  end(): Promise<void>;
}

function setUp(options: LakebaseUsersOptions<Opened> = {}) {
  const workspace = fakeWorkspace();
  const { clock, answers, requests } = workspace;
  const opened: Opened[] = [];
  const revoked = new Set<string>();
  const bearer = (request: { headers: Headers }) => request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
  answers[paths.me] = (request) => {
    const token = bearer(request);
    const { sub } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString() || "{}");
    return revoked.has(token) || sub === undefined ? failure(401) : json({ userName: sub });
  };
  const mint = answers[paths.credential];
  answers[paths.credential] = (request) =>
    (revoked.has(bearer(request)) ? failure(401) : mint?.(request)) ?? failure(500);

  let serial = 0;
  /** A token of this user that ends by itself after so long. */
  const tokenOf = (user: string, lifeMs = 60 * minute) =>
    ["{}", JSON.stringify({ sub: user, exp: (clock.now() + lifeMs) / 1000, jti: ++serial }), "s"]
      .map((part) => Buffer.from(part).toString("base64url"))
      .join(".");
  const open = (handle: Lakebase): Opened => {
    const made: Opened = {
      handle,
      ended: 0,
      ending: undefined,
      async end() {
        made.ended += 1;
        await made.ending;
      },
    };
    opened.push(made);
    return made;
  };
  const all: LakebaseUsersOptions<Opened> = {
    endpoint,
    workspaceHost: "https://acme.cloud.databricks.com",
    env: {},
    fetch: workspace.fetch,
    clock,
    ...options,
  };
  const users = createLakebaseUsers(all, open);
  const ask = (accessToken: string) => watch(users.for({ accessToken }));
  const mintedWith = () => requests.filter(({ path }) => path === paths.credential).map(bearer);
  return { ...workspace, users, opened, revoked, tokenOf, ask, mintedWith };
}

const use = (users: ReturnType<typeof setUp>["users"], accessToken: string) => {
  let leave = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const state = watch(users.use({ accessToken }, async (opened) => left.then(() => opened)));
  return { state, leave };
};

describe("a user", () => {
  test("is who the workspace says, asked once with the user's own token", async () => {
    const { users, opened, ask, tokenOf, requests, calls } = setUp();
    const [ada, bob] = [tokenOf("ada@acme.example"), tokenOf("bob@acme.example")];
    const first = await ask(ada).now();
    expect(first.value).toBe(opened[0]);
    expect((await ask(ada).now()).value).toBe(opened[0]);
    expect((await ask(bob).now()).value).toBe(opened[1]);
    expect(opened).toHaveLength(2);
    expect(calls(paths.me)).toBe(2);
    expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual([`Bearer ${ada}`, `Bearer ${bob}`]);
    const settings = await watch((first.value as Opened).handle.connection()).now();
    expect(settings.value).toMatchObject({ user: "ada@acme.example" });
    expect(calls(paths.me)).toBe(2);
    expect(users.health()).toMatchObject({ status: "open", users: 2, counts: { opened: 2, ended: 0, refused: 0 } });
  });

  test("is never given what was opened for somebody else", async () => {
    const workspace = setUp();
    const { tokenOf, clock } = workspace;
    // An application that has one pool for all, and hands it out where each user's own belongs.
    const shared = {
      ended: 0,
      async end() {
        shared.ended += 1;
      },
    };
    const users = createLakebaseUsers(
      { endpoint, workspaceHost: "https://acme.cloud.databricks.com", env: {}, fetch: workspace.fetch, clock },
      () => shared,
    );
    expect((await watch(users.for({ accessToken: tokenOf("ada@acme.example") })).now()).value).toBe(shared);
    expect((await watch(users.for({ accessToken: tokenOf("bob@acme.example") })).now()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(/open.*somebody else.*handle/),
    });
    expect((await watch(users.for({ accessToken: tokenOf("ada@acme.example") })).now()).value).toBe(shared);
    expect(shared.ended).toBe(0);
    expect(users.health()).toMatchObject({ users: 1, counts: { opened: 1, ended: 0 } });
    await users.close();
    expect(shared.ended).toBe(1);
  });

  test("is asked about once by a hundred requests that come together", async () => {
    const { opened, tokenOf, calls, users } = setUp();
    const token = tokenOf("ada@acme.example");
    const all = await Promise.all(Array.from({ length: 100 }, () => users.for({ accessToken: createSecret(token) })));
    expect(new Set(all)).toEqual(new Set(opened));
    expect(opened).toHaveLength(1);
    expect(calls(paths.me)).toBe(1);
  });

  test("has one place for any number of tokens", async () => {
    const { opened, ask, tokenOf } = setUp();
    for (let turn = 0; turn < 10; turn += 1) await ask(tokenOf("ada@acme.example")).now();
    expect(opened).toHaveLength(1);
  });

  test("whose token is refused is told so, and nobody else notices", async () => {
    const { users, opened, ask, tokenOf, calls, clock, revoked } = setUp();
    await ask(tokenOf("ada@acme.example")).now();
    const stolen = tokenOf("bob@acme.example");
    revoked.add(stolen);
    const { error } = await ask(stolen).now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED", retryable: false });
    expect((error as Error).message).toContain("x-forwarded-access-token");
    expect((error as Error).cause).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect(inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(stolen);
    expect(opened.map(({ ended }) => ended)).toEqual([0]);
    // The answer stands for a moment: a client that tries in a loop is not the workspace's concern.
    await ask(stolen).now();
    expect(calls(paths.me)).toBe(2);
    await clock.advance(6 * second);
    await ask(stolen).now();
    expect(calls(paths.me)).toBe(3);
    expect(users.health()).toMatchObject({ users: 1, counts: { refused: 3 } });
  });

  test.each<[string, unknown, RegExp]>([
    ["none", undefined, /is missing/],
    ["null", null, /is object, not a string/],
    ["an empty one", "", /is empty/],
    ["a header that came twice", ["a", "b"], /is a list/],
    ["a whole Authorization header", "Bearer abc", /no `Bearer`/],
    ["one with a line break", "abc\r\nx: y", /is not a token/],
  ])("with %s is asked for the header that holds it", async (_name, accessToken, message) => {
    const { users, calls } = setUp();
    const { error } = await watch(users.for({ accessToken: accessToken as string })).now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringMatching(message) });
    expect((error as Error).message).toContain("`x-forwarded-access-token`");
    expect(calls(paths.me)).toBe(0);
  });

  test("without any request is asked for it as well", async () => {
    const { users } = setUp();
    const { error } = await watch(users.for(undefined as unknown as { accessToken: string })).now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
  });

  test("whose token may not be asked about is told which scope is missing", async () => {
    const { ask, answers, tokenOf } = setUp();
    answers[paths.me] = () => json({ message: "Provided OAuth token does not have required scopes: iam" }, 403);
    const { error } = await ask(tokenOf("ada@acme.example")).now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_MISSING_SCOPE" });
    expect((error as Error).message).toContain("`iam.current-user:read`");
  });

  test("is not asked about for ever when the workspace does not answer", async () => {
    const { ask, answers, tokenOf, clock } = setUp({ connectTimeoutMs: 5000 });
    answers[paths.me] = () => new Promise(() => {});
    const asked = ask(tokenOf("ada@acme.example"));
    await clock.advance(5000);
    expect((await asked.now()).error).toMatchObject({ code: "ERR_LAKEBASE_TIMEOUT", retryable: true });
  });
});

describe("the workspace's word for a token", () => {
  test("stands for two minutes at most, and is renewed behind the user's back", async () => {
    const { ask, tokenOf, calls, clock, revoked } = setUp();
    const token = tokenOf("ada@acme.example");
    await ask(token).now();
    await clock.advance(50 * second);
    await ask(token).now();
    expect(calls(paths.me)).toBe(1);
    await clock.advance(15 * second);
    await ask(token).now();
    await clock.advance(1);
    expect(calls(paths.me)).toBe(2);
    revoked.add(token);
    await clock.advance(120 * second);
    expect((await ask(token).now()).error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
  });

  test("ends with the first refusal behind the user's back", async () => {
    const { ask, tokenOf, clock, revoked } = setUp();
    const token = tokenOf("ada@acme.example");
    await ask(token).now();
    revoked.add(token);
    await clock.advance(70 * second);
    expect((await ask(token).now()).error).toBeUndefined();
    await clock.advance(1);
    expect((await ask(token).now()).error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
  });

  test("ends with the token itself", async () => {
    const { ask, tokenOf, calls, clock } = setUp();
    const token = tokenOf("ada@acme.example", 20 * second);
    await ask(token).now();
    await clock.advance(21 * second);
    await ask(token).now();
    expect(calls(paths.me)).toBe(2);
  });
});

describe("a user's tokens", () => {
  async function credential(opened: Opened | undefined) {
    return watch((opened as Opened).handle.credential()).now();
  }

  test("are used newest first, whichever comes last, and sessions stay", async () => {
    const { opened, ask, tokenOf, mintedWith, clock } = setUp({ idleSeconds: 7200 });
    const [old, young, older] = [30, 60, 20].map((minutes) =>
      tokenOf("ada@acme.example", minutes * minute),
    ) as string[];
    await ask(old as string).now();
    await credential(opened[0]);
    await ask(young as string).now();
    await ask(older as string).now();
    expect((await credential(opened[0])).value?.token.reveal()).toBe("credential-1");
    expect(mintedWith()).toEqual([old]);
    await clock.advance(31 * minute);
    expect((await credential(opened[0])).error).toBeUndefined();
    expect(mintedWith()).toEqual([old, young]);
    expect(opened).toMatchObject([{ ended: 0 }]);
  });

  test("stand in for one another: a refused one is passed over at once, and asked about again", async () => {
    const { opened, ask, tokenOf, mintedWith, revoked, calls } = setUp();
    const [old, young] = [30, 60].map((minutes) => tokenOf("ada@acme.example", minutes * minute)) as string[];
    await ask(old as string).now();
    await ask(young as string).now();
    revoked.add(young as string);
    expect((await credential(opened[0])).error).toBeUndefined();
    expect(mintedWith()).toEqual([young, old]);
    expect(calls(paths.me)).toBe(2);
    expect((await ask(young as string).now()).error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect((await ask(old as string).now()).error).toBeUndefined();
    expect(calls(paths.me)).toBe(3);
  });

  test("that are all refused leave an error, until the next one comes", async () => {
    const { opened, ask, tokenOf, revoked } = setUp();
    const token = tokenOf("ada@acme.example");
    await ask(token).now();
    revoked.add(token);
    const { error } = await credential(opened[0]);
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect((error as Error).message).toMatch(/every access token that ada@acme\.example has come with/);
    await ask(tokenOf("ada@acme.example")).now();
    expect((await credential(opened[0])).error).toBeUndefined();
  });

  test("that end while nobody comes are not sent any more", async () => {
    const { opened, ask, tokenOf, mintedWith, clock } = setUp({ idleSeconds: 7200 });
    await ask(tokenOf("ada@acme.example", 5 * minute)).now();
    await clock.advance(6 * minute);
    expect((await credential(opened[0])).error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect(mintedWith()).toEqual([]);
  });

  test("with a scope that the older one lacks help at once", async () => {
    const { opened, ask, tokenOf, answers } = setUp();
    const good = answers[paths.credential];
    const narrow = tokenOf("ada@acme.example", 30 * minute);
    answers[paths.credential] = (request) =>
      request.headers.get("authorization") === `Bearer ${narrow}`
        ? json({ message: "Provided OAuth token does not have required scopes: postgres" }, 403)
        : (good?.(request) ?? failure(500));
    await ask(narrow).now();
    const { error } = await credential(opened[0]);
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_MISSING_SCOPE" });
    expect((error as Error).message).toContain("`postgres`");
    await ask(tokenOf("ada@acme.example")).now();
    expect((await credential(opened[0])).error).toBeUndefined();
  });
});

describe("a missing role", () => {
  const words = {
    XX000: "password authentication failed for user 'o''hara@acme.example'",
    "28P01": 'Failed to decode token for role "o\'hara@acme.example" and native postgres login was …',
  };

  async function logIn(refusal: unknown) {
    const { opened, ask, tokenOf } = setUp();
    await ask(tokenOf("o'hara@acme.example")).now();
    const handle = internalsOf((opened[0] as Opened).handle);
    const attempt = () =>
      watch(handle.logIn(handle.scope({}), 30_000, new AbortController().signal, () => Promise.reject(refusal))).now();
    return { attempt };
  }

  test.each(Object.entries(words))(
    "is told by what %s means for a token that was just minted",
    async (code, message) => {
      const refusal = Object.assign(new Error(message), { code });
      const { attempt } = await logIn(refusal);
      for (const { error } of [await attempt(), await attempt()]) {
        expect(error).toMatchObject({ code: "ERR_LAKEBASE_MISSING_ROLE", cause: refusal });
        expect((error as Error).message).toContain("databricks_create_role('o''hara@acme.example', 'USER')");
        expect(isLoginRejected(error)).toBe(true);
      }
    },
  );

  test.each([
    ["XX000", "JWT token has expired (exp=1)"],
    ["XX000", "Provided authentication token is not a valid JWT encoding"],
    ["53300", "remaining connection slots are reserved"],
  ])("is not what %s %s means", async (code, message) => {
    const refusal = Object.assign(new Error(message), { code });
    expect((await (await logIn(refusal)).attempt()).error).toBe(refusal);
  });
});

describe("what would mix people", () => {
  const open = () => ({ end: async () => {} });

  test.each<[string, object]>([
    ["auth", { auth: { kind: "x", getToken: async () => ({}) } }],
    ["user", { user: "service" }],
    ["password", { password: "p" }],
    [
      "connectionString (user)",
      { connectionString: "postgresql://service@ep-a.database.us-west-2.cloud.databricks.com/db" },
    ],
  ])("is refused in the options: %s", (option, options) => {
    const create = () => createLakebaseUsers({ env: {}, ...options } as LakebaseUsersOptions, open);
    expect(create).toThrow(/would be the same for all users/);
    try {
      create();
    } catch (error) {
      expect((error as { problems: { option: string }[] }).problems).toContainEqual(
        expect.objectContaining({ option }),
      );
    }
  });

  test("is not read from the environment, where the workspace and the database are", async () => {
    const env = {
      DATABRICKS_HOST: "acme.cloud.databricks.com",
      DATABRICKS_CLIENT_ID: "service",
      DATABRICKS_CLIENT_SECRET: "service-secret",
      DATABRICKS_TOKEN: "dapi-service",
      LAKEBASE_ENDPOINT: endpoint,
      PGHOST: "ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com",
      PGUSER: "service",
      PGPASSWORD: "service-password",
      PGDATABASE: "shop",
    };
    const { opened, ask, tokenOf, requests } = setUp({ endpoint: undefined, workspaceHost: undefined, env });
    await ask(tokenOf("ada@acme.example")).now();
    const { value } = await watch((opened[0] as Opened).handle.connection()).now();
    expect(value).toMatchObject({ user: "ada@acme.example", database: "shop", host: env.PGHOST });
    expect(value?.password.reveal()).toMatch(/^credential-/);
    expect(JSON.stringify(requests)).not.toContain("service");
    expect(requests.every(({ url }) => url.startsWith("https://acme.cloud.databricks.com/"))).toBe(true);
  });

  test("is read from the environment neither as a name nor as an identity", () => {
    const env = { PGUSER: "service", PGPASSWORD: "p", DATABRICKS_TOKEN: "dapi00", PGHOST: databaseHost };
    expect(resolveConfig({ env }, () => {}).identity).toEqual({ kind: "oauth" });
    expect(resolveConfig({ env }).identity).toMatchObject({ kind: "native", user: "service" });
  });

  test("does not open the way to a host that must not receive a token", () => {
    const env = { PGHOST: "db.evil.example", PGUSER: "service", PGPASSWORD: "native", LAKEBASE_ENDPOINT: undefined };
    expect(() => resolveConfig({ env })).not.toThrow();
    expect(() => createLakebaseUsers({ env }, open)).toThrow(
      expect.objectContaining({ code: "ERR_LAKEBASE_HOST_REFUSED" }),
    );
  });

  test("needs a workspace, and says so", async () => {
    const { ask, tokenOf } = setUp({ workspaceHost: undefined });
    const { error } = await ask(tokenOf("ada@acme.example")).now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
    expect((error as Error).message).toContain("DATABRICKS_HOST");
  });

  test.each<[string, object]>([
    ["maxUsers", { maxUsers: 0 }],
    ["maxUsers", { maxUsers: 1.5 }],
    ["idleSeconds", { idleSeconds: 0 }],
    ["idleSeconds", { idleSeconds: Number.NaN }],
    ["holdSeconds", { holdSeconds: -1 }],
    ["close", { close: "end" }],
    ["maxUser", { maxUser: 5 }],
  ])("is not the only thing that is refused: %s %o", (option, options) => {
    expect(() => createLakebaseUsers({ env: {}, ...options } as LakebaseUsersOptions, open)).toThrow(`\`${option}\``);
  });

  test("nor is it the only thing that is told", () => {
    const create = () =>
      createLakebaseUsers(
        { env: {}, maxUsers: 0, user: "u", port: 0 } as unknown as LakebaseUsersOptions,
        undefined as unknown as () => object,
      );
    expect(create).toThrow(/4 problems/);
  });
});

describe("the bound", () => {
  const names = Array.from({ length: 9 }, (_, index) => `user${index}@acme.example`);

  test("ends the least recently used, once it is not held any more", async () => {
    const { users, opened, ask, tokenOf, clock } = setUp({ maxUsers: 2, holdSeconds: 10 });
    const [first, last, third] = names.map((name) => tokenOf(name)) as [string, string, string];
    await ask(first).now();
    await ask(last).now();
    await clock.advance(5 * second);
    await ask(first).now();
    const waiting = ask(third);
    await clock.advance(4 * second);
    expect(waiting.settled).toBe(false);
    expect(users.health()).toMatchObject({ users: 2, inUse: 2, waiting: 1 });
    await clock.advance(1.1 * second);
    expect((await waiting.now()).value).toBe(opened[2]);
    expect(opened.map(({ ended }) => ended)).toEqual([0, 1, 0]);
  });

  test("counts every use: who comes often stays", async () => {
    const { opened, ask, tokenOf } = setUp({ maxUsers: 2, holdSeconds: 0 });
    const [often, once, third] = names.map((name) => tokenOf(name)) as [string, string, string];
    for (const token of [often, once, often, third]) await ask(token).now();
    expect(opened.map(({ ended }) => ended)).toEqual([0, 1, 0]);
  });

  test("holds what for() has answered for as long as it says, however idle", async () => {
    const { opened, ask, tokenOf, clock } = setUp({ idleSeconds: 1, holdSeconds: 10 });
    await ask(tokenOf("ada@acme.example")).now();
    await clock.advance(9.9 * second);
    expect(opened).toMatchObject([{ ended: 0 }]);
    await clock.advance(1.1 * second);
    expect(opened).toMatchObject([{ ended: 1 }]);
  });

  test("never ends what is in use, and takes its place as soon as it is free", async () => {
    const { opened, ask, tokenOf, clock, users } = setUp({ maxUsers: 1, holdSeconds: 0, idleSeconds: 1 });
    const busy = use(users, tokenOf(names[0] as string));
    await busy.state.now();
    const waiting = ask(tokenOf(names[1] as string));
    await clock.advance(20 * second);
    expect(waiting.settled).toBe(false);
    expect(opened).toMatchObject([{ ended: 0 }]);
    busy.leave();
    expect((await waiting.now()).value).toBe(opened[1]);
    expect(opened).toMatchObject([{ ended: 1 }, { ended: 0 }]);
  });

  test("is an error when nobody leaves in time, and later nobody's concern", async () => {
    const { ask, tokenOf, clock, users } = setUp({ maxUsers: 1, connectTimeoutMs: 5000, holdSeconds: 0 });
    const busy = use(users, tokenOf(names[0] as string));
    await busy.state.now();
    const waiting = ask(tokenOf(names[1] as string));
    await clock.advance(5000);
    const { error } = await waiting.now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_TOO_MANY_USERS", retryable: true });
    expect((error as Error).message).toContain("maxUsers");
    expect(users.health()).toMatchObject({ users: 1, waiting: 0 });
    busy.leave();
    expect((await ask(tokenOf(names[1] as string)).now()).error).toBeUndefined();
  });

  test("holds while ends last, and asks another to leave when one does not end", async () => {
    const { opened, ask, tokenOf, clock, users } = setUp({ maxUsers: 2, holdSeconds: 0 });
    await ask(tokenOf(names[0] as string)).now();
    await clock.advance(1);
    await ask(tokenOf(names[1] as string)).now();
    let ended = () => {};
    (opened[0] as Opened).ending = new Promise((resolve) => {
      ended = resolve;
    });
    const waiting = ask(tokenOf(names[2] as string));
    await clock.advance(500);
    // One is asked to leave for one who waits, however often somebody looks.
    await ask(tokenOf(names[1] as string)).now();
    expect(opened[1]).toMatchObject({ ended: 0 });
    expect(waiting.settled).toBe(false);
    expect(users.health()).toMatchObject({ users: 1, ending: 1, waiting: 1 });
    expect(opened).toHaveLength(2);
    await clock.advance(600);
    expect((await waiting.now()).value).toBe(opened[2]);
    expect(opened[1]).toMatchObject({ ended: 1 });
    expect(users.health()).toMatchObject({ users: 1, ending: 1 });
    ended();
    await clock.advance(1);
    expect(users.health()).toMatchObject({ users: 1, ending: 0, counts: { opened: 3, ended: 2 } });
  });

  test("lets in those who waited longest first, and counts one user's requests once", async () => {
    const { opened, tokenOf, users } = setUp({ maxUsers: 1, holdSeconds: 0 });
    const order: string[] = [];
    const tokens = names.map((name) => tokenOf(name));
    const all = tokens.flatMap((accessToken, index) =>
      [1, 2].map(() => users.use({ accessToken }, () => void order.push(names[index] as string))),
    );
    await watch(Promise.all(all)).now();
    expect(order.filter((name, index) => name !== order[index - 1])).toEqual(names);
    expect(opened).toHaveLength(names.length);
    expect(opened.slice(0, -1).every(({ ended }) => ended === 1)).toBe(true);
  });

  test("sweeps who has not come for long: with a timer that holds no process, and with use", async () => {
    const { opened, ask, tokenOf, clock, users } = setUp({ idleSeconds: 60, holdSeconds: 0 });
    await ask(tokenOf(names[0] as string)).now();
    expect([clock.pending(), clock.pending(true)]).toEqual([1, 0]);
    await clock.advance(59 * second);
    await ask(tokenOf(names[1] as string)).now();
    expect(opened.map(({ ended }) => ended)).toEqual([0, 0]);
    await clock.advance(2 * second);
    expect(opened.map(({ ended }) => ended)).toEqual([1, 0]);
    await clock.advance(60 * second);
    expect(opened.map(({ ended }) => ended)).toEqual([1, 1]);
    // What the workspace has said about tokens is the last to go.
    await clock.advance(240 * second);
    expect(clock.pending()).toBe(0);
    expect(users.health()).toMatchObject({ users: 0, counts: { opened: 2, ended: 2 } });
  });

  test("lets go of tokens that were refused, although nobody else comes", async () => {
    const { ask, tokenOf, clock, revoked } = setUp();
    const token = tokenOf(names[0] as string);
    revoked.add(token);
    await ask(token).now();
    expect([clock.pending(), clock.pending(true)]).toEqual([1, 0]);
    await clock.advance(121 * second);
    expect(clock.pending()).toBe(0);
  });

  test("sweeps by the last use and not by the first", async () => {
    const { opened, ask, tokenOf, clock } = setUp({ idleSeconds: 60, holdSeconds: 0 });
    const token = tokenOf(names[0] as string);
    await ask(token).now();
    await clock.advance(40 * second);
    await ask(token).now();
    await clock.advance(40 * second);
    expect(opened).toMatchObject([{ ended: 0 }]);
    await clock.advance(21 * second);
    expect(opened).toMatchObject([{ ended: 1 }]);
  });

  test("sweeps nobody who is in use, however long", async () => {
    const { opened, clock, users, tokenOf } = setUp({ idleSeconds: 60 });
    const busy = use(users, tokenOf(names[0] as string));
    await busy.state.now();
    await clock.advance(10 * minute);
    expect(opened).toMatchObject([{ ended: 0 }]);
    busy.leave();
    await busy.state.now();
    await clock.advance(61 * second);
    expect(opened).toMatchObject([{ ended: 1 }]);
  });
});

test("types: what open makes is what users get, and nobody can be named for all", async () => {
  const { users } = setUp();
  expectTypeOf(users.for).returns.resolves.toEqualTypeOf<Opened>();
  expectTypeOf(users.use({ accessToken: undefined }, () => 1).catch(() => 2)).resolves.toEqualTypeOf<number>();
  const later = createLakebaseUsers({ env: {}, close: async (_opened: string) => {} }, async () => "opened");
  expectTypeOf(later.for).returns.resolves.toEqualTypeOf<string>();
  // @ts-expect-error auth is each user's own
  expect(() => createLakebaseUsers({ env: {}, auth: accessToken(() => "t") }, () => ({ end() {} }))).toThrow();
  // @ts-expect-error so is the name
  expect(() => createLakebaseUsers({ env: {}, user: "u" }, () => ({ end() {} }))).toThrow();
  await Promise.all([users.close(), later.close()]);
});

describe("what open makes", () => {
  const failures = [
    () => {
      throw new Error("no pool");
    },
    () => Promise.reject(new Error("no pool")),
  ];

  test.each(failures)("leaves nothing when it fails (%#)", async (fail) => {
    const { tokenOf, fetch, clock } = setUp();
    const handles: Lakebase[] = [];
    let failing = true;
    const users = createLakebaseUsers(
      { endpoint, workspaceHost: "https://acme.cloud.databricks.com", env: {}, fetch, clock, maxUsers: 1 },
      (handle) => {
        handles.push(handle);
        return failing ? fail() : { end: () => {} };
      },
    );
    const request = { accessToken: tokenOf("ada@acme.example") };
    const both = await Promise.all([watch(users.for(request)).now(), watch(users.use(request, () => 1)).now()]);
    for (const { error } of both) expect(error).toMatchObject({ message: "no pool" });
    expect(handles.map((handle) => handle.health().status)).toEqual(["closed"]);
    expect(users.health()).toMatchObject({ users: 0, counts: { opened: 0 } });
    failing = false;
    const bob = { accessToken: tokenOf("bob@acme.example") };
    expect(await watch(users.for(bob)).now()).toMatchObject({ settled: true, error: undefined });
  });

  test.each<[string, (note: () => void) => object, boolean]>([
    ["end", (end) => ({ end, destroy: () => {} }), true],
    ["destroy", (destroy) => ({ destroy }), true],
    ["close", (close) => ({ close }), true],
    ["$disconnect", ($disconnect) => ({ $disconnect }), true],
    ["asyncDispose", (dispose) => ({ [Symbol.asyncDispose]: dispose }), true],
    ["its client", (end) => ({ $client: { end } }), true],
    ["a function", (end) => Object.assign(() => {}, { end }), true],
    ["nothing", () => ({}), false],
  ])("is ended by %s", async (_name, make, can) => {
    const { tokenOf, fetch, clock } = setUp();
    const note = vi.fn();
    const users = createLakebaseUsers(
      { endpoint, workspaceHost: "https://acme.cloud.databricks.com", env: {}, fetch, clock },
      () => make(note),
    );
    const { error } = await watch(users.for({ accessToken: tokenOf("ada@acme.example") })).now();
    await users.close();
    expect(note).toHaveBeenCalledTimes(can ? 1 : 0);
    if (can) expect(error).toBeUndefined();
    else expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringContaining("give `close`") });
  });

  test("is ended by `close` where that is given, whatever it is", async () => {
    const { tokenOf, fetch, clock } = setUp();
    const closed: unknown[] = [];
    const users = createLakebaseUsers(
      {
        endpoint,
        workspaceHost: "https://acme.cloud.databricks.com",
        env: {},
        fetch,
        clock,
        close: (opened: number) => void closed.push(opened),
      },
      () => 42,
    );
    expect((await watch(users.for({ accessToken: tokenOf("ada@acme.example") })).now()).value).toBe(42);
    await users.close();
    expect(closed).toEqual([42]);
  });
});

describe("close", () => {
  test("ends everything, refuses what comes after, and may be called twice", async () => {
    const { opened, ask, tokenOf, users, clock } = setUp();
    await ask(tokenOf("ada@acme.example")).now();
    await ask(tokenOf("bob@acme.example")).now();
    await Promise.all([users.close(), users.close(), users[Symbol.asyncDispose]()]);
    expect(opened).toMatchObject([{ ended: 1 }, { ended: 1 }]);
    expect(opened.map(({ handle }) => handle.health().status)).toEqual(["closed", "closed"]);
    expect((await ask(tokenOf("ada@acme.example")).now()).error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    expect(users.health()).toMatchObject({ status: "closed", users: 0 });
    expect(clock.pending()).toBe(0);
  });

  test("before anything was used is the end as well", async () => {
    const { ask, tokenOf, users, calls } = setUp();
    expect(users.health()).toMatchObject({ status: "open", users: 0 });
    await users.close();
    expect(users.health()).toMatchObject({ status: "closed" });
    expect((await ask(tokenOf("ada@acme.example")).now()).error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    expect(calls(paths.me)).toBe(0);
  });

  test("while the workspace is asked gives the question up", async () => {
    const { ask, answers, tokenOf, users, clock } = setUp();
    let signal: AbortSignal | undefined;
    answers[paths.me] = (request) => {
      signal = request.signal;
      return new Promise(() => {});
    };
    const asked = ask(tokenOf("ada@acme.example"));
    await clock.advance(1);
    const closed = watch(users.close());
    const { error } = await asked.now();
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_CLOSED",
      message: expect.stringContaining("createLakebaseUsers()"),
    });
    expect((await closed.now()).settled).toBe(true);
    expect(signal?.aborted).toBe(true);
    await clock.advance(1);
    expect(clock.pending()).toBe(0);
  });

  test("while something is opened ends it, and its caller is told", async () => {
    const { tokenOf, fetch, clock } = setUp();
    let opened = (_value: { end(): void }) => {};
    const end = vi.fn();
    const users = createLakebaseUsers(
      { endpoint, workspaceHost: "https://acme.cloud.databricks.com", env: {}, fetch, clock },
      () =>
        new Promise<{ end(): void }>((resolve) => {
          opened = resolve;
        }),
    );
    const asked = watch(users.for({ accessToken: tokenOf("ada@acme.example") }));
    await asked.now();
    const closed = watch(users.close());
    await closed.now();
    expect(closed.settled).toBe(false);
    opened({ end });
    expect((await asked.now()).error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    expect((await closed.now()).settled).toBe(true);
    expect(end).toHaveBeenCalledOnce();
  });

  test("waits for use(), and gives up those who wait for a place", async () => {
    const { opened, ask, tokenOf, users } = setUp({ maxUsers: 1 });
    const busy = use(users, tokenOf("ada@acme.example"));
    await busy.state.now();
    const waiting = ask(tokenOf("bob@acme.example"));
    await waiting.now();
    const closed = watch(users.close());
    await closed.now();
    expect((await waiting.now()).error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    expect([closed.settled, opened[0]?.ended]).toEqual([false, 0]);
    busy.leave();
    expect((await busy.state.now()).value).toBe(opened[0]);
    expect((await closed.now()).settled).toBe(true);
    expect(opened).toMatchObject([{ ended: 1 }]);
  });

  test("tells what could not be ended, after everything else was", async () => {
    const { opened, ask, tokenOf, users } = setUp();
    await ask(tokenOf("ada@acme.example")).now();
    await ask(tokenOf("bob@acme.example")).now();
    const stuck = Promise.reject(new Error("stuck"));
    stuck.catch(() => {});
    (opened[0] as Opened).ending = stuck;
    const { error } = await watch(users.close()).now();
    expect((error as AggregateError).errors).toMatchObject([{ message: "stuck" }]);
    expect(opened[1]).toMatchObject({ ended: 1 });
    expect(users.health().counts).toMatchObject({ ended: 2, endFailures: 1 });
  });
});

describe("whatever happens", () => {
  type Step =
    | { readonly do: "for" | "use"; readonly person: number }
    | { readonly do: "leave"; readonly which: number }
    | { readonly do: "revoke"; readonly person: number }
    | { readonly do: "fail" }
    | { readonly do: "wait"; readonly ms: number };
  const person = fc.nat(5);
  const step = fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ do: fc.constantFrom("for", "use"), person }),
    fc.record({ do: fc.constantFrom("for", "use"), person }),
    fc.record({ do: fc.constant("leave"), which: fc.nat(20) }),
    fc.record({ do: fc.constant("revoke"), person }),
    fc.record({ do: fc.constant("fail") }),
    fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(1, 500, 1500, 5000, 40_000, 130_000) }),
  );

  test("nothing is ended under those who use it, nobody gets another's, and no more is open than is allowed", async () => {
    const limit = 3;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 50 }), fc.boolean(), async (steps, slow) => {
        const { fetch, clock, tokenOf, revoked } = setUp();
        interface Mine {
          readonly owner: string;
          uses: number;
          heldUntil: number;
          state: "open" | "ending" | "ended";
          end(): Promise<void>;
        }
        const made: Mine[] = [];
        const live = () => made.filter(({ state }) => state !== "ended").length;
        let failNext = false;
        const users = createLakebaseUsers<Mine>(
          {
            endpoint,
            workspaceHost: "https://acme.cloud.databricks.com",
            env: {},
            fetch,
            clock,
            maxUsers: limit,
            holdSeconds: 2,
            idleSeconds: 30,
            connectTimeoutMs: 10_000,
          },
          async (handle) => {
            if (failNext) {
              failNext = false;
              throw new Error("no pool");
            }
            const owner = await internalsOf(handle).whoAmI(new AbortController().signal);
            const mine: Mine = {
              owner,
              uses: 0,
              heldUntil: 0,
              state: "open",
              async end() {
                expect([mine.state, mine.uses]).toEqual(["open", 0]);
                expect(mine.heldUntil).toBeLessThanOrEqual(closing ? Number.POSITIVE_INFINITY : clock.monotonic());
                mine.state = "ending";
                if (slow) await new Promise<void>((resolve) => void clock.after(700, resolve));
                mine.state = "ended";
              },
            };
            made.push(mine);
            expect(live()).toBeLessThanOrEqual(limit);
            return mine;
          },
        );
        let closing = false;
        const tokens = Array.from({ length: 6 }, (_, index) => tokenOf(`user${index}@acme.example`));
        const inside: (() => void)[] = [];
        const failures: unknown[] = [];
        const expected = /^(?:ERR_LAKEBASE_(?:TOO_MANY_USERS|UNAUTHENTICATED)|no pool)$/;
        const note = (error: Error & { code?: string }) => {
          if (!expected.test(error.code ?? error.message)) failures.push(error);
        };
        const check = (mine: Mine, index: number) => {
          expect([mine.owner, mine.state]).toEqual([`user${index}@acme.example`, "open"]);
          expect(users.health().users).toBeLessThanOrEqual(limit);
        };
        for (const one of steps) {
          if (one.do === "wait") await clock.advance(one.ms);
          else if (one.do === "fail") failNext = true;
          else if (one.do === "leave") inside.splice(one.which % Math.max(inside.length, 1), 1)[0]?.();
          else if (one.do === "revoke") {
            revoked.add(tokens[one.person] as string);
            tokens[one.person] = tokenOf(`user${one.person}@acme.example`);
          } else {
            const request = { accessToken: tokens[one.person] as string };
            if (one.do === "for") {
              const handed = users.for(request).then((mine) => {
                check(mine, one.person);
                mine.heldUntil = Math.max(mine.heldUntil, clock.monotonic() + 2000 - 1);
              });
              handed.catch(note);
            } else {
              const used = users.use(request, async (mine) => {
                check(mine, one.person);
                mine.uses += 1;
                await new Promise<void>((resolve) => void inside.push(resolve));
                expect(mine.state).toBe("open");
                mine.uses -= 1;
              });
              used.catch(note);
            }
          }
          await settle(3);
        }
        closing = true;
        const closed = watch(users.close());
        await settle(5);
        while (inside.length > 0) {
          for (const leave of inside.splice(0)) leave();
          await settle(5);
        }
        await clock.advance(20_000);
        expect((await closed.now()).error).toBeUndefined();
        expect(closed.settled).toBe(true);
        expect(failures.filter((error) => (error as { code?: string }).code !== "ERR_LAKEBASE_CLOSED")).toEqual([]);
        expect(live()).toBe(0);
        expect(users.health()).toMatchObject({ users: 0, ending: 0, waiting: 0, counts: { endFailures: 0 } });
        expect(clock.pending()).toBe(0);
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

test("no look at it shows a token, a user or a secret", async () => {
  const { users, ask, tokenOf } = setUp();
  const token = tokenOf("ada@acme.example");
  const { value } = await ask(token).now();
  await watch((value as Opened).handle.connection()).now();
  const shown = inspect([users, users.health(), value], { depth: Number.POSITIVE_INFINITY, showHidden: true });
  expect(shown).not.toContain(token);
  expect(JSON.stringify([users.health(), users])).not.toContain("ada@acme.example");
});
