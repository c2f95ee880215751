import { inspect } from "node:util";
import {
  createLakebase,
  type StoredSession,
  type TokenStore,
  type UserSessionOptions,
  userSession,
} from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { rejection } from "../contract/world.ts";

const hour = 3_600_000;
const redirectUri = "https://shop.example/callback";

let local: LocalLakebase;
let app: ReturnType<LocalLakebase["registerApp"]>;
beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
  app = local.registerApp({ name: "Shop", redirectUris: [redirectUri], confidential: true });
  await local.addPeople(["ada@acme.example", "bob@acme.example"]);
});
afterAll(() => local.close());

let kept: Map<string, string>;
let store: TokenStore;
const seen: unknown[] = [];
beforeEach(() => {
  kept = new Map();
  store = {
    get: async (key) => JSON.parse(kept.get(key) ?? "null"),
    set: async (key, session) => void kept.set(key, JSON.stringify(session)),
    delete: async (key) => void kept.delete(key),
  };
});
afterEach(() => {
  local.faults.clear();
  // Whatever a test has met may be logged.
  const shown = inspect(seen.splice(0), { depth: 9, showHidden: true }) + JSON.stringify(seen);
  expect(local.secrets().filter((secret) => secret !== "" && shown.includes(secret))).toEqual([]);
});

const session = (own: Partial<UserSessionOptions> = {}) =>
  userSession({
    workspaceHost: local.workspaceUrl,
    workspaceCa: local.ca,
    clientId: app.clientId,
    clientSecret: app.clientSecret as string,
    redirectUri,
    store,
    key: "a-browser",
    clock: local.clock,
    ...own,
  });

async function signIn(person = "ada@acme.example", own: Partial<UserSessionOptions> = {}) {
  const one = session(own);
  const { url, ...rest } = await one.createAuthorizationUrl();
  const back = await local.answerConsent(url, { person });
  expect(await one.exchangeAuthorizationCode(back, rest)).toEqual({ user: person });
  return one;
}

/** The program is given the endpoint by the environment, and the person by the session. */
const poolOf = (auth: ReturnType<typeof session>) =>
  lakebasePool({ env: local.env, auth, workspaceCa: local.ca, clock: local.clock, max: 4, connectTimeoutMs: 5000 });

const whoami = async (pool: ReturnType<typeof poolOf>) =>
  (await pool.query<{ me: string }>("select current_user::text as me")).rows[0]?.me;

const stored = (): StoredSession => JSON.parse(kept.get("a-browser") ?? "null");

/** What the token endpoint was asked for. */
const grants = (mark = 0) =>
  local.requests
    .slice(mark)
    .filter(({ operation }) => operation === "token")
    .map(({ body }) => new URLSearchParams(body).get("grant_type"));

const failureOf = async (promise: Promise<unknown>) => {
  const error = await rejection(promise);
  seen.push(error);
  return error;
};

describe("somebody who has signed in", () => {
  test("is who Postgres sees", async () => {
    const pool = poolOf(await signIn());
    expect(await whoami(pool)).toBe("ada@acme.example");
    expect(local.logins.at(-1)).toMatchObject({ user: "ada@acme.example", outcome: "accepted" });
    seen.push(pool, pool.lakebase, pool.lakebase.health());
    await pool.end();
  });

  test("stays for days: token and refresh token are replaced, each of them used once", async () => {
    const pool = poolOf(await signIn());
    const used = new Set<string | undefined>();
    const mark = local.requests.length;
    for (let hours = 0; hours < 30; hours += 1) {
      used.add(stored().refreshToken);
      local.clock.advance(hour);
      local.killConnections("terminate");
      await expect.poll(() => pool.totalCount).toBe(0);
      expect(await whoami(pool)).toBe("ada@acme.example");
    }
    expect(used.size).toBe(30);
    expect(grants(mark)).toEqual(Array(30).fill("refresh_token"));
    await pool.end();
  });

  test("has one session in many session objects at once", async () => {
    await signIn();
    local.clock.advance(2 * hour);
    const mark = local.requests.length;
    const pools = Array.from({ length: 20 }, () => poolOf(session()));
    const names = await Promise.all(pools.map(whoami));
    expect(new Set(names)).toEqual(new Set(["ada@acme.example"]));
    expect(grants(mark)).toEqual(["refresh_token"]);
    await Promise.all(pools.map((pool) => pool.end()));
  });

  test("gets another token when the workspace refuses the one that it has", async () => {
    const lakebase = createLakebase({
      env: local.env,
      auth: await signIn(),
      workspaceCa: local.ca,
      clock: local.clock,
    });
    const { token } = await lakebase.credential();
    const { accessToken } = stored();
    const mark = local.requests.length;
    lakebase.invalidate(token);
    local.faults.api({ on: "credential", times: 1, kind: "status", status: 401 });
    await lakebase.credential();
    expect(stored().accessToken).not.toBe(accessToken);
    expect(grants(mark)).toEqual(["refresh_token"]);
    await lakebase.close();
  });

  test("is told to sign in again when the workspace has ended the session, and then goes on", async () => {
    const one = await signIn();
    const pool = poolOf(one);
    await whoami(pool);
    expect(local.signOut("ada@acme.example")).toBeGreaterThan(0);
    local.killConnections("terminate");
    await expect.poll(() => pool.totalCount).toBe(0);
    local.clock.advance(hour);
    for (const asked of [pool.query("select 1"), session().accessToken()]) {
      expect(await failureOf(asked)).toMatchObject({
        code: "ERR_LAKEBASE_SIGN_IN_REQUIRED",
        message: expect.stringMatching(/sign in again \(invalid_grant\)/),
      });
    }
    const { url, ...rest } = await one.createAuthorizationUrl();
    await one.exchangeAuthorizationCode(await local.answerConsent(url, { person: "ada@acme.example" }), rest);
    // What will not change stands for the answer for five seconds.
    local.clock.advance(6000);
    expect(await whoami(pool)).toBe("ada@acme.example");
    await pool.end();
  });

  test("loses the session when a copy of the refresh token is used elsewhere", async () => {
    await signIn();
    const copy = stored();
    local.clock.advance(hour);
    await session().accessToken();
    kept.set("a-thief", JSON.stringify(copy));
    expect(await failureOf(session({ key: "a-thief" }).accessToken())).toMatchObject({
      code: "ERR_LAKEBASE_SIGN_IN_REQUIRED",
    });
    local.clock.advance(hour);
    expect(await failureOf(session().accessToken())).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_REQUIRED" });
  });

  test("signs out: the refresh token is void for everybody", async () => {
    const one = await signIn();
    const copy = stored();
    expect(await one.signOut()).toEqual({ revoked: true });
    expect(kept.size).toBe(0);
    kept.set("a-browser", JSON.stringify(copy));
    local.clock.advance(hour);
    expect(await failureOf(session().accessToken())).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_REQUIRED" });
  });

  test("never meets another: two sessions, one store", async () => {
    const [ada, bob] = await Promise.all([
      signIn("ada@acme.example", { key: "one" }),
      signIn("bob@acme.example", { key: "two" }),
    ]);
    const pools = [poolOf(ada), poolOf(bob), poolOf(ada), poolOf(bob)];
    for (let hours = 0; hours < 3; hours += 1) {
      expect(await Promise.all(pools.map(whoami))).toEqual([
        "ada@acme.example",
        "bob@acme.example",
        "ada@acme.example",
        "bob@acme.example",
      ]);
      local.clock.advance(hour);
      local.killConnections("terminate");
      await expect.poll(() => pools.every((pool) => pool.totalCount === 0)).toBe(true);
    }
    await Promise.all(pools.map((pool) => pool.end()));
  });

  test("never becomes another: a pool does not go on with whoever signs in under the same key", async () => {
    const pool = poolOf(await signIn("ada@acme.example"));
    await whoami(pool);
    await signIn("bob@acme.example");
    local.killConnections("terminate");
    await expect.poll(() => pool.totalCount).toBe(0);
    local.clock.advance(hour);
    const before = local.logins.length;
    expect(await failureOf(pool.query("select 1"))).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_REQUIRED" });
    expect(local.logins).toHaveLength(before);
    await pool.end();
    const next = poolOf(session());
    expect(await whoami(next)).toBe("bob@acme.example");
    await next.end();
  });
});

describe("OAuth apps", () => {
  test("that are public have no secret", async () => {
    const { clientId } = local.registerApp({ name: "Page", redirectUris: [redirectUri] });
    const one = userSession({
      workspaceHost: local.workspaceUrl,
      workspaceCa: local.ca,
      clientId,
      redirectUri,
      store,
      key: "a-browser",
      clock: local.clock,
    });
    const { url, ...rest } = await one.createAuthorizationUrl();
    await one.exchangeAuthorizationCode(await local.answerConsent(url, { person: "bob@acme.example" }), rest);
    local.clock.advance(hour);
    const pool = poolOf(one);
    expect(await whoami(pool)).toBe("bob@acme.example");
    await pool.end();
  });

  test("with a wrong secret are told so", async () => {
    const one = session({ clientSecret: "dose-of-somebody-else" });
    const { url, ...rest } = await one.createAuthorizationUrl();
    const back = await local.answerConsent(url, { person: "ada@acme.example" });
    const error = await failureOf(one.exchangeAuthorizationCode(back, rest));
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringMatching(/clientSecret.*/),
    });
    expect(inspect(error)).not.toContain("dose-of-somebody-else");
  });

  test("without the scope for databases are told which one is missing", async () => {
    const one = await signIn("ada@acme.example", { scopes: ["iam.current-user:read", "offline_access"] });
    const pool = poolOf(one);
    expect(await failureOf(pool.query("select 1"))).toMatchObject({ code: "ERR_LAKEBASE_MISSING_SCOPE" });
    await pool.end();
  });

  test("that narrow their scopes to what is needed connect", async () => {
    const pool = poolOf(
      await signIn("ada@acme.example", { scopes: ["postgres", "iam.current-user:read", "offline_access"] }),
    );
    expect(await whoami(pool)).toBe("ada@acme.example");
    await pool.end();
  });

  test("that ask for an ID token too are not led astray by a clock that a test has moved", async () => {
    local.clock.advance(48 * hour);
    const one = await signIn("ada@acme.example", { scopes: ["openid", "all-apis", "offline_access"] });
    local.clock.advance(hour);
    seen.push(await one.accessToken());
  });

  test("hear a no", async () => {
    const one = session();
    const { url, ...rest } = await one.createAuthorizationUrl();
    const back = await local.answerConsent(url, { person: "ada@acme.example", allow: false });
    expect(await failureOf(one.exchangeAuthorizationCode(back, rest))).toMatchObject({
      code: "ERR_LAKEBASE_SIGN_IN_DENIED",
    });
  });

  test("get no tokens for a code that has ended", async () => {
    const one = session();
    const { url, ...rest } = await one.createAuthorizationUrl();
    const back = await local.answerConsent(url, { person: "ada@acme.example" });
    local.clock.advance(hour);
    expect(await failureOf(one.exchangeAuthorizationCode(back, rest))).toMatchObject({
      code: "ERR_LAKEBASE_SIGN_IN_FAILED",
    });
  });
});

describe("while the workspace", () => {
  test.each([
    ["fails", { kind: "status", status: 503 }],
    ["is overrun", { kind: "status", status: 429, retryAfter: 1 }],
    ["resets connections", { kind: "reset" }],
    ["hangs", { kind: "hang" }],
  ] as const)("%s, the token that is there serves", async (_name, how) => {
    await signIn();
    local.clock.advance(0.7 * hour);
    const fault = local.faults.api({ on: "token", ...how });
    let done = false;
    const timers = new Set<() => void>();
    const after = (_ms: number, run: () => void) => {
      timers.add(run);
      return () => void timers.delete(run);
    };
    const asking = session({ clock: { ...local.clock, after } })
      .accessToken()
      .finally(() => {
        done = true;
      });
    await expect.poll(() => fault.hits).toBeGreaterThan(0);
    if (how.kind === "hang") for (const expire of timers) expire();
    await expect.poll(() => done).toBe(true);
    const { token } = await asking;
    expect(token.reveal()).toBe(stored().accessToken);
    seen.push(token);
  });

  test.each([
    ["a page", { kind: "status", status: 200, body: "<html>" }],
    ["a redirect", { kind: "status", status: 302 }],
  ] as const)("answers %s, nobody is led astray", async (_name, fault) => {
    await signIn();
    local.clock.advance(2 * hour);
    local.faults.api({ on: "token", ...fault });
    expect(await failureOf(session().accessToken())).toMatchObject({ code: "ERR_LAKEBASE_BAD_RESPONSE" });
  });

  test("is not who it says it is, nothing is sent", async () => {
    await signIn();
    local.clock.advance(2 * hour);
    const before = local.requests.length;
    for (const kind of ["untrusted", "wrong-name", "expired"] as const) {
      local.faults.clear();
      local.faults.tls({ on: "api", kind });
      expect(await failureOf(session().accessToken())).toMatchObject({ code: "ERR_LAKEBASE_TLS" });
    }
    expect(local.requests).toHaveLength(before);
  });
});

test.each([-10 * 60_000, 10 * 60_000])("a clock that is wrong by %i ms does not end a session", async (wrong) => {
  const clock = { ...local.clock, now: () => local.clock.now() + wrong };
  const pool = lakebasePool({
    env: local.env,
    auth: await signIn("ada@acme.example", { clock }),
    workspaceCa: local.ca,
    clock,
  });
  for (let hours = 0; hours < 3; hours += 1) {
    expect(await whoami(pool)).toBe("ada@acme.example");
    local.clock.advance(hour);
    local.killConnections("terminate");
    await expect.poll(() => pool.totalCount).toBe(0);
  }
  await pool.end();
});

describe("a command line", () => {
  test("signs in on loopback as the Databricks CLI does, and goes on by what it has kept", async () => {
    const one = userSession({
      workspaceHost: local.workspaceUrl,
      workspaceCa: local.ca,
      clientId: "databricks-cli",
      store,
      key: "this-machine",
      clock: local.clock,
    });
    const signedIn = await one.signInOnLoopback({
      port: 0,
      open: async (url) => {
        const back = await local.answerConsent(url, { person: "bob@acme.example" });
        expect(new URL(back).hostname).toBe("localhost");
        expect((await fetch(back)).status).toBe(200);
      },
    });
    expect(signedIn).toEqual({ user: "bob@acme.example" });
    const lakebase = createLakebase({ env: local.env, auth: one, workspaceCa: local.ca, clock: local.clock });
    expect((await lakebase.connection()).user).toBe("bob@acme.example");
    await lakebase.close();
  });

  test("hears a no on loopback too", async () => {
    const one = session({ clientId: "databricks-cli" });
    const denied = userSession({
      workspaceHost: local.workspaceUrl,
      workspaceCa: local.ca,
      clientId: "databricks-cli",
      store,
      key: "this-machine",
      clock: local.clock,
    }).signInOnLoopback({
      port: 0,
      open: async (url) => {
        const back = await local.answerConsent(url, { person: "bob@acme.example", allow: false });
        expect((await fetch(back)).status).toBe(400);
      },
    });
    expect(await failureOf(denied)).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_DENIED" });
    seen.push(one);
  });
});

test("a host that several workspaces share signs people in at its account", async () => {
  const shared = await startLocalLakebase({ log: () => {}, hostKind: "unified" });
  try {
    const { clientId } = shared.registerApp({ name: "Shop", redirectUris: [redirectUri] });
    const { userName } = shared.user;
    const one = userSession({
      workspaceHost: shared.workspaceUrl,
      workspaceId: shared.workspaceId,
      workspaceCa: shared.ca,
      clientId,
      redirectUri,
      store,
      key: "a-browser",
      clock: shared.clock,
    });
    const { url, ...rest } = await one.createAuthorizationUrl();
    expect(new URL(url).pathname).toBe(`/oidc/accounts/${shared.accountId}/v1/authorize`);
    await one.exchangeAuthorizationCode(await shared.answerConsent(url, { person: userName }), rest);
    const pool = lakebasePool({ env: shared.env, auth: one, workspaceCa: shared.ca, clock: shared.clock });
    expect(await whoami(pool)).toBe(userName);
    await pool.end();
  } finally {
    await shared.close();
  }
});
