import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../test/fake-clock.ts";
import { type Answer, failure, fakeWorkspace, json, paths, watch } from "../../test/fake-workspace.ts";
import { isLakebaseError } from "../error-chain.ts";
import type { WorkspaceAuthContext } from "../workspace-auth.ts";
import { userSession } from "./user-session.ts";
import type { UserSessionOptions } from "./user-session-options.ts";
import type { StoredSession, TokenStore } from "./user-session-store.ts";

const minute = 60_000;
const host = "https://acme.cloud.databricks.com";
const issuer = `${host}/oidc`;
const revocation = "/oidc/v1/revoke";
const redirectUri = "https://shop.example/callback";

// Loaded by their first use, which the clock of a test does not wait for.
beforeAll(() => Promise.all([import("./user-session-flow.ts"), import("oauth4webapi")]));

/** An authorization server with refresh tokens for one use, which ends a session where one is used twice. */
function setUp(metadata: object = {}) {
  const workspace = fakeWorkspace(new FakeClock());
  const { answers, requests } = workspace;
  const codes = new Map<string, { challenge: string; redirectUri: string; user: string }>();
  const refreshTokens = new Map<string, { user: string; used: boolean }>();
  const owners = new Map<string, string>();
  const revoked: string[] = [];
  let serial = 0;
  const give = (user: string) => {
    serial += 1;
    refreshTokens.set(`refresh-${serial}`, { user, used: false });
    owners.set(`access-${serial}`, user);
    return json({
      access_token: `access-${serial}`,
      refresh_token: `refresh-${serial}`,
      token_type: "Bearer",
      expires_in: 3600,
    });
  };
  const refuse = (error: string, status = 400) => json({ error, error_description: "prose with secret-echo" }, status);
  answers[paths.discovery] = () =>
    json({
      issuer,
      authorization_endpoint: `${issuer}/v1/authorize`,
      token_endpoint: host + paths.token,
      revocation_endpoint: host + revocation,
      ...metadata,
    });
  answers[paths.token] = ({ body }) => {
    const form = new URLSearchParams(body);
    if (form.get("grant_type") === "refresh_token") {
      const found = refreshTokens.get(form.get("refresh_token") ?? "");
      if (!found) return refuse("invalid_grant");
      if (found.used) {
        for (const [token, { user }] of refreshTokens) if (user === found.user) refreshTokens.delete(token);
        return refuse("invalid_grant");
      }
      found.used = true;
      return give(found.user);
    }
    const code = form.get("code") ?? "";
    const asked = codes.get(code);
    codes.delete(code);
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (!asked || asked.challenge !== challenge || asked.redirectUri !== form.get("redirect_uri")) {
      return refuse("invalid_grant");
    }
    return give(asked.user);
  };
  answers[revocation] = ({ body }) => {
    revoked.push(new URLSearchParams(body).get("token") ?? "");
    return new Response(null, { status: 200 });
  };
  answers[paths.me] = ({ headers }) => {
    const user = owners.get(headers.get("authorization")?.replace("Bearer ", "") ?? "");
    return user === undefined ? failure(401) : json({ userName: user });
  };

  const kept = new Map<string, string>();
  const store: TokenStore = {
    get: async (key) => JSON.parse(kept.get(key) ?? "null"),
    set: async (key, session) => void kept.set(key, JSON.stringify(session)),
    delete: async (key) => void kept.delete(key),
  };
  const session = (own: Partial<UserSessionOptions> = {}) =>
    userSession({
      workspaceHost: host,
      clientId: "app-id",
      redirectUri,
      store,
      key: "browser-1",
      fetch: workspace.fetch,
      clock: workspace.clock,
      ...own,
    });
  /** What the consent page does when somebody agrees. */
  const consent = (address: string, user = "ada@acme.example", more: Record<string, string> = {}) => {
    const asked = new URL(address).searchParams;
    const code = `code-${++serial}`;
    codes.set(code, {
      challenge: asked.get("code_challenge") ?? "",
      redirectUri: asked.get("redirect_uri") ?? "",
      user,
    });
    const back = new URL(asked.get("redirect_uri") ?? "");
    for (const [name, value] of Object.entries({ code, state: asked.get("state") ?? "", ...more })) {
      back.searchParams.set(name, value);
    }
    return back.href;
  };
  const signIn = async (own: Partial<UserSessionOptions> = {}, user?: string) => {
    const one = session(own);
    const { url, ...rest } = await one.createAuthorizationUrl();
    await one.exchangeAuthorizationCode(consent(url, user), rest);
    return one;
  };
  const read = (key = "browser-1"): StoredSession => JSON.parse(kept.get(key) ?? "null");
  const forms = () => requests.filter(({ path }) => path === paths.token).map(({ body }) => new URLSearchParams(body));
  const refreshes = () => forms().filter((form) => form.get("grant_type") === "refresh_token").length;
  return {
    ...workspace,
    store,
    kept,
    session,
    consent,
    signIn,
    read,
    forms,
    refreshes,
    refuse,
    refreshTokens,
    revoked,
  };
}

const context = (forced = false): WorkspaceAuthContext => ({
  workspaceHost: host,
  request: () => Promise.reject(new Error("a session has requests of its own")),
  signal: new AbortController().signal,
  forced,
  variable: () => undefined,
  environment: () => ({}),
  warn: () => {},
  now: () => 0,
});

async function failureOf(promise: Promise<unknown>): Promise<{ code: string; message: string; retryable: boolean }> {
  const error = await promise.then(
    () => expect.unreachable("it did not fail"),
    (caught: unknown) => caught,
  );
  if (!isLakebaseError(error)) throw error;
  expect(inspect(error, { depth: 9 })).not.toMatch(/access-\d|refresh-\d|code-\d|secret-echo|app-secret/);
  return error;
}

describe("signing in", () => {
  test("asks with PKCE S256 and state, and puts no secret into the address", async () => {
    const { session } = setUp();
    const { url, state, codeVerifier } = await session().createAuthorizationUrl();
    const { origin, pathname, searchParams } = new URL(url);
    expect(origin + pathname).toBe(`${issuer}/v1/authorize`);
    expect(Object.fromEntries(searchParams)).toEqual({
      response_type: "code",
      client_id: "app-id",
      redirect_uri: redirectUri,
      scope: "all-apis offline_access",
      state,
      code_challenge: createHash("sha256").update(codeVerifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    expect(url).not.toContain(codeVerifier);
    expect((await session().createAuthorizationUrl()).state).not.toBe(state);
  });

  test.each<[string, Partial<UserSessionOptions>, object]>([
    ["a public client", {}, { client_id: "app-id", client_secret: null }],
    ["a confidential one", { clientSecret: "app-secret" }, { client_id: "app-id", client_secret: "app-secret" }],
  ])("redeems the code as %s, once, and keeps what it gets", async (_name, own, sent) => {
    const { signIn, read, forms, clock } = setUp();
    await signIn(own);
    const [form] = forms();
    for (const [name, value] of Object.entries(sent)) expect(form?.get(name)).toBe(value);
    expect(read()).toMatchObject({
      version: 1,
      workspaceHost: host,
      clientId: "app-id",
      user: "ada@acme.example",
      expiresAt: clock.now() + 60 * minute,
    });
    expect(read().accessToken).toMatch(/^access-/);
    expect(read().refreshToken).toMatch(/^refresh-/);
  });

  test("tells who has signed in, and takes a path, an address or its parameters", async () => {
    const { session, consent } = setUp();
    const one = session();
    for (const form of [
      (url: string) => url,
      (url: string) => new URL(url),
      (url: string) => new URL(url).searchParams,
      (url: string) => new URL(url).pathname + new URL(url).search,
    ]) {
      const { url, ...kept } = await one.createAuthorizationUrl();
      expect(await one.exchangeAuthorizationCode(form(consent(url)), kept)).toEqual({ user: "ada@acme.example" });
    }
  });

  test.each([
    ["what it may not", () => failure(403)],
    ["what its scopes do not hold", () => json({ error: "insufficient_scope" }, 403)],
  ])("goes on without a name where it cannot be asked: %s", async (_name, answer) => {
    const { signIn, answers, read } = setUp();
    answers[paths.me] = answer;
    const one = await signIn();
    expect(read().user).toBeUndefined();
    expect((await one.getToken(context())).token.reveal()).toBe(read().accessToken);
  });

  test.each<[string, (url: string) => string, string, RegExp]>([
    ["a state of another attempt", (url) => url.replace(/state=[^&]+/, "state=other"), "FAILED", /state/],
    ["no state", (url) => url.replace(/&state=[^&]+/, ""), "FAILED", /state/],
    ["two states", (url) => `${url}&state=other`, "FAILED", /state|flow/],
    ["another issuer", (url) => `${url}&iss=https%3A%2F%2Fevil.example`, "FAILED", /iss/],
    ["no code", (url) => url.replace(/code=[^&]+/, ""), "FAILED", /no authorization code/],
    ["a code that is not known", (url) => url.replace(/code=[^&]+/, "code=code-0"), "FAILED", /good once/],
    ["a token in place of a code", (url) => `${url}&access_token=x&token=y`, "FAILED", /flow/],
    ["a no", (url) => url.replace(/code=[^&]+/, "error=access_denied"), "DENIED", /did not agree/],
    ["a wrong scope", (url) => url.replace(/code=[^&]+/, "error=invalid_scope"), "FAILED", /invalid_scope/],
    ["prose as error", (url) => url.replace(/code=[^&]+/, "error=secret-echo"), "FAILED", /unknown error/],
    ["no and a wrong state", (url) => url.replace(/code=.*/, "error=access_denied&state=x"), "FAILED", /state/],
  ])("refuses %s", async (_name, change, code, message) => {
    const { session, consent, kept } = setUp();
    const one = session();
    const { url, ...rest } = await one.createAuthorizationUrl();
    const error = await failureOf(one.exchangeAuthorizationCode(change(consent(url)), rest));
    expect(error).toMatchObject({ code: `ERR_LAKEBASE_SIGN_IN_${code}`, retryable: false });
    expect(error.message).toMatch(message);
    expect(kept.size).toBe(0);
  });

  test("tells a workspace that cannot do it now", async () => {
    const { session, consent } = setUp();
    const { url, ...kept } = await session().createAuthorizationUrl();
    const back = consent(url).replace(/code=[^&]+/, "error=temporarily_unavailable");
    const error = await failureOf(session().exchangeAuthorizationCode(back, kept));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_UNAVAILABLE", retryable: true });
  });

  test("names the workspace of a host that several share, then and later", async () => {
    const { signIn, requests, read } = setUp();
    const one = await signIn({ workspaceId: "1234" });
    const headers = { "x-databricks-workspace-id": "1234" };
    expect(requests.find(({ path }) => path === paths.me)?.headers.get("x-databricks-workspace-id")).toBe("1234");
    expect(read().workspaceId).toBe("1234");
    expect(await one.getToken(context())).toMatchObject({ headers });
  });

  test("keeps what it gets under the store's lock", async () => {
    const { signIn, store } = setUp();
    const order: string[] = [];
    const locking: TokenStore = {
      ...store,
      set: async () => void order.push("set"),
      withLock: async (key, work) => {
        order.push(`lock ${key}`);
        return work().finally(() => order.push("unlock"));
      },
    };
    await signIn({ store: locking });
    expect(order).toEqual(["lock browser-1", "set", "unlock"]);
  });

  test("wants the issuer named where the server says that it names it", async () => {
    const { session, consent } = setUp({ authorization_response_iss_parameter_supported: true });
    const one = session();
    const first = await one.createAuthorizationUrl();
    const error = await failureOf(one.exchangeAuthorizationCode(consent(first.url), first));
    expect(error.code).toBe("ERR_LAKEBASE_SIGN_IN_FAILED");
    const second = await one.createAuthorizationUrl();
    await one.exchangeAuthorizationCode(consent(second.url, "ada@acme.example", { iss: issuer }), second);
  });

  test.each([undefined, {}, { state: "s" }])("refuses a browser for which %o was kept", async (kept) => {
    const { session, consent } = setUp();
    const { url } = await session().createAuthorizationUrl();
    const error = await failureOf(session().exchangeAuthorizationCode(consent(url), kept as never));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_FAILED", message: expect.stringMatching(/nothing was/) });
  });

  test("takes no code twice, and none without its verifier", async () => {
    const { session, consent } = setUp();
    const one = session();
    const { url, ...kept } = await one.createAuthorizationUrl();
    const back = consent(url);
    await one.exchangeAuthorizationCode(back, kept);
    expect((await failureOf(one.exchangeAuthorizationCode(back, kept))).code).toBe("ERR_LAKEBASE_SIGN_IN_FAILED");
    const other = await one.createAuthorizationUrl();
    const stolen = one.exchangeAuthorizationCode(consent(other.url), { ...other, codeVerifier: "a".repeat(43) });
    expect((await failureOf(stolen)).code).toBe("ERR_LAKEBASE_SIGN_IN_FAILED");
  });

  test.each<[string, Answer, string, boolean]>([
    ["invalid_client", () => json({ error: "invalid_client" }, 401), "UNAUTHENTICATED", false],
    ["unauthorized_client", () => json({ error: "unauthorized_client" }, 400), "UNAUTHENTICATED", false],
    ["invalid_scope", () => json({ error: "invalid_scope" }, 400), "BAD_REQUEST", false],
    ["prose for a word", () => json({ error: "secret-echo!" }, 400), "BAD_REQUEST", false],
    ["a failure", () => failure(503), "UNAVAILABLE", true],
    ["too many requests", () => failure(429), "RATE_LIMITED", true],
    [
      "a redirect",
      () => new Response(null, { status: 302, headers: { location: "https://x/" } }),
      "BAD_RESPONSE",
      false,
    ],
    ["a page", () => new Response("<html>secret-echo</html>"), "BAD_RESPONSE", false],
    ["nothing", () => new Response(null, { status: 204 }), "BAD_RESPONSE", false],
    ["no token", () => json({ token_type: "Bearer" }), "BAD_RESPONSE", false],
    ["a token of two lines", () => json({ access_token: "a\nb", token_type: "Bearer" }), "BAD_RESPONSE", false],
    ["a token, but not with 200", () => json({ access_token: "a", token_type: "Bearer" }, 202), "BAD_RESPONSE", false],
    ["server_error", () => json({ error: "server_error" }, 400), "UNAVAILABLE", true],
    ["another kind of token", () => json({ access_token: "access-1", token_type: "mac" }), "BAD_RESPONSE", false],
    ["more than fits", () => new Response("x".repeat(70_000)), "BAD_RESPONSE", false],
  ])("tells a token endpoint that answers %s", async (_name, answer, code, retryable) => {
    const { session, consent, answers } = setUp();
    const one = session({ clientSecret: "app-secret" });
    const { url, ...kept } = await one.createAuthorizationUrl();
    answers[paths.token] = answer;
    const error = await failureOf(one.exchangeAuthorizationCode(consent(url), kept));
    expect(error).toMatchObject({ code: `ERR_LAKEBASE_${code}`, retryable });
  });

  test("sends nothing to an endpoint that is not https", async () => {
    const { session } = setUp({ revocation_endpoint: "http://acme.example/revoke" });
    expect((await failureOf(session().createAuthorizationUrl())).code).toBe("ERR_LAKEBASE_TLS");
  });

  test("gives up a server that does not answer", async () => {
    const { session, answers, clock } = setUp();
    answers[paths.discovery] = () => new Promise(() => {});
    const asking = watch(session().createAuthorizationUrl());
    await settle(3);
    await clock.advance(30_000);
    expect((await asking.now()).error).toMatchObject({ code: "ERR_LAKEBASE_TIMEOUT", retryable: true });
  });
});

describe("the token", () => {
  test("is answered from the store while it is young, without a call", async () => {
    const { signIn, session, requests, read } = setUp();
    await signIn();
    const before = requests.length;
    const { token, lifetimeMs } = await session().getToken(context());
    expect([token.reveal(), lifetimeMs]).toEqual([read().accessToken, 60 * minute]);
    expect(requests).toHaveLength(before);
  });

  test("is replaced past its middle, and its refresh token with it", async () => {
    const { signIn, session, clock, read, refreshes } = setUp();
    await signIn();
    const first = read();
    await clock.advance(30 * minute);
    expect((await session().getToken(context())).token.reveal()).not.toBe(first.accessToken);
    expect(read().refreshToken).not.toBe(first.refreshToken);
    expect(read()).toMatchObject({ user: first.user, signIn: first.signIn });
    await clock.advance(50 * minute);
    await session().getToken(context());
    expect(refreshes()).toBe(2);
  });

  test("keeps a refresh token that the server does not replace", async () => {
    const { signIn, session, clock, read, answers } = setUp();
    await signIn();
    const { refreshToken } = read();
    answers[paths.token] = () => json({ access_token: "access-100", token_type: "Bearer", expires_in: "60" });
    await clock.advance(30 * minute);
    expect((await session().getToken(context())).lifetimeMs).toBe(minute);
    expect(read().refreshToken).toBe(refreshToken);
  });

  test("is fetched once for all who ask, in one session object and in many", async () => {
    const { signIn, session, clock, refreshes } = setUp();
    const one = await signIn();
    await clock.advance(70 * minute);
    const sessions = [one, one, ...Array.from({ length: 48 }, () => session())];
    const tokens = await Promise.all(sessions.map((each) => each.getToken(context())));
    expect(new Set(tokens.map(({ token }) => token.reveal())).size).toBe(1);
    expect(refreshes()).toBe(1);
  });

  test.each([true, false])("is not fetched with what a slow store had before (rotation: %s)", async (rotates) => {
    const { signIn, session, clock, refreshes, store, read, answers } = setUp();
    await signIn();
    if (!rotates) {
      answers[paths.token] = () => json({ access_token: "access-100", token_type: "Bearer", expires_in: 3600 });
    }
    await clock.advance(70 * minute);
    const old = read();
    let late: (value: StoredSession) => void = () => {};
    let reads = 0;
    const slow: TokenStore = {
      ...store,
      get: (key) => (reads++ === 0 ? new Promise((resolve) => (late = resolve)) : store.get(key)),
    };
    const asking = session({ store: slow }).getToken(context());
    await session().getToken(context());
    late(old);
    expect((await asking).token.reveal()).toBe(read().accessToken);
    expect(refreshes()).toBe(1);
  });

  test("is replaced at once when the workspace refused it, and only then", async () => {
    const { signIn, refreshes, session, read } = setUp();
    const one = await signIn();
    const { token } = await one.getToken(context());
    const next = await one.getToken(context(true));
    expect(next.token.reveal()).not.toBe(token.reveal());
    expect(refreshes()).toBe(1);
    // Another that was handed the refused one finds what has come in its place.
    expect((await session().getToken(context())).token.reveal()).toBe(read().accessToken);
    await session().getToken(context(true));
    expect(refreshes()).toBe(2);
  });

  test("that was refused is not asked for anew when another has taken its place", async () => {
    const { signIn, session, clock, read, refreshes } = setUp();
    const one = await signIn();
    await one.getToken(context());
    await clock.advance(30 * minute);
    await session().getToken(context());
    expect((await one.getToken(context(true))).token.reveal()).toBe(read().accessToken);
    expect(refreshes()).toBe(1);
  });

  test("is replaced when the clock was set back so far that its age cannot be told", async () => {
    const { signIn, session, clock, refreshes } = setUp();
    await signIn();
    clock.setBack(10 * minute);
    await session().getToken(context());
    expect(refreshes()).toBe(1);
  });

  test("lives as long as it says itself where its answer does not", async () => {
    const { signIn, session, clock, answers } = setUp();
    await signIn();
    await clock.advance(30 * minute);
    const exp = clock.now() / 1000 + 1800;
    const jwt = `e30.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.e30`;
    answers[paths.token] = () => json({ access_token: jwt, token_type: "Bearer" });
    expect((await session().getToken(context())).lifetimeMs).toBe(30 * minute);
  });

  test("comes when its caller has gone: the answer holds the next refresh token", async () => {
    const { signIn, session, clock, answers, read, refreshes } = setUp();
    const one = await signIn();
    await clock.advance(70 * minute);
    const answer = answers[paths.token] as Answer;
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    answers[paths.token] = async (request) => {
      const ready = answer(request);
      await held;
      return ready;
    };
    const before = read();
    watch(one.getToken(context()));
    await settle(5);
    expect(refreshes()).toBe(1);
    const other = watch(session().getToken(context()));
    await settle(5);
    release();
    expect((await other.now()).value?.token.reveal()).toBe(read().accessToken);
    expect(read().refreshToken).not.toBe(before.refreshToken);
    expect(refreshes()).toBe(1);
  });

  test("that is not over is used while it cannot be replaced", async () => {
    const { signIn, session, clock, answers, read } = setUp();
    await signIn();
    answers[paths.token] = () => failure(503);
    await clock.advance(45 * minute);
    const one = session();
    expect((await one.getToken(context())).token.reveal()).toBe(read().accessToken);
    // A handle that has it already is told why there is no other.
    expect((await failureOf(one.getToken(context()))).code).toBe("ERR_LAKEBASE_UNAVAILABLE");
    expect((await failureOf(session().getToken(context(true)))).code).toBe("ERR_LAKEBASE_UNAVAILABLE");
    await clock.advance(20 * minute);
    expect((await failureOf(session().getToken(context()))).code).toBe("ERR_LAKEBASE_UNAVAILABLE");
  });

  test("of a session that was revoked is a call to sign in again", async () => {
    const { signIn, session, clock, refreshTokens, consent, read } = setUp();
    const one = await signIn();
    refreshTokens.clear();
    await clock.advance(30 * minute);
    for (const each of [one, session()]) {
      const error = await failureOf(each.getToken(context()));
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_REQUIRED", retryable: false });
      expect(error.message).toMatch(/sign in again/);
    }
    const { url, ...kept } = await one.createAuthorizationUrl();
    await one.exchangeAuthorizationCode(consent(url), kept);
    expect((await one.getToken(context())).token.reveal()).toBe(read().accessToken);
  });

  test("is what another process has got meanwhile", async () => {
    const { signIn, session, clock, refreshTokens, read, kept, answers, refreshes } = setUp();
    await signIn();
    await clock.advance(30 * minute);
    const mine = read();
    const answer = answers[paths.token] as Answer;
    answers[paths.token] = (request) => {
      // Just before ours, the other's request was answered and kept.
      const theirs = { ...mine, accessToken: "access-77", refreshToken: "refresh-77", issuedAt: clock.now() };
      kept.set("browser-1", JSON.stringify({ ...theirs, expiresAt: clock.now() + 60 * minute }));
      refreshTokens.delete(mine.refreshToken ?? "");
      return answer(request);
    };
    expect((await session().getToken(context())).token.reveal()).toBe("access-77");
    expect(refreshes()).toBe(1);
  });

  test("is fetched under the store's lock, and not at all when another has seen to it", async () => {
    const { signIn, session, clock, store, read, refreshes } = setUp();
    await signIn();
    await clock.advance(30 * minute);
    const order: string[] = [];
    const locking: TokenStore = {
      ...store,
      async withLock(key, work) {
        order.push(`lock ${key}`);
        // Who had the lock before us.
        await store.set(key, {
          ...read(),
          accessToken: "access-88",
          refreshToken: "refresh-88",
          issuedAt: clock.now(),
        });
        return work().finally(() => order.push("unlock"));
      },
    };
    expect((await session({ store: locking }).getToken(context())).token.reveal()).toBe("access-88");
    expect([order, refreshes()]).toEqual([["lock browser-1", "unlock"], 0]);
  });

  test("is fetched with the refresh token that is there once the lock is got", async () => {
    const { signIn, session, clock, store, read, forms } = setUp();
    await signIn();
    await clock.advance(70 * minute);
    const { refreshToken: used } = read();
    await session().getToken(context());
    const { refreshToken: latest } = read();
    await clock.advance(70 * minute);
    let reads = 0;
    const late: TokenStore = {
      ...store,
      async get(key) {
        const stored = await store.get(key);
        reads += 1;
        return reads === 1 && stored ? { ...stored, refreshToken: used ?? "" } : stored;
      },
    };
    await session({ store: late }).getToken(context());
    expect(forms().at(-1)?.get("refresh_token")).toBe(latest);
  });

  test("that cannot be had under the lock fails as it does without", async () => {
    const { signIn, session, clock, store, refreshTokens } = setUp();
    await signIn();
    refreshTokens.clear();
    await clock.advance(70 * minute);
    const locking: TokenStore = { ...store, withLock: (_key, work) => work() };
    const error = await failureOf(session({ store: locking }).getToken(context()));
    expect(error.code).toBe("ERR_LAKEBASE_SIGN_IN_REQUIRED");
  });

  test("is kept though the lock could not be given back", async () => {
    const { signIn, session, clock, store, read, refreshes } = setUp();
    await signIn();
    await clock.advance(70 * minute);
    const breaking: TokenStore = {
      ...store,
      withLock: async (_key, work) => {
        await work();
        throw new Error("the lock is lost");
      },
    };
    const { token } = await session({ store: breaking }).getToken(context());
    expect([token.reveal(), refreshes()]).toEqual([read().accessToken, 1]);
  });

  test("without a refresh token serves to its end", async () => {
    const { signIn, session, clock, answers, requests } = setUp();
    answers[paths.token] = () => json({ access_token: "access-1", token_type: "bearer", expires_in: 3600 });
    answers[paths.me] = () => json({ userName: "ada@acme.example" });
    await signIn({ scopes: ["all-apis"] });
    const before = requests.length;
    await clock.advance(59 * minute);
    expect((await session().getToken(context())).lifetimeMs).toBe(minute);
    await clock.advance(minute);
    const error = await failureOf(session().getToken(context()));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_REQUIRED", message: expect.stringMatching(/offline_/) });
    expect(requests).toHaveLength(before);
  });

  test("can be had as it is, wrapped", async () => {
    const { signIn, read, clock } = setUp();
    const one = await signIn();
    const { token, expiresAt } = await one.accessToken();
    expect([token.reveal(), expiresAt]).toEqual([read().accessToken, new Date(clock.now() + 60 * minute)]);
    expect(inspect({ one, token }, { depth: 9, showHidden: true })).not.toMatch(/access-|refresh-|app-secret/);
    expect(JSON.stringify({ one, token })).not.toMatch(/access-|refresh-/);
  });
});

describe("two people", () => {
  test("have each their own", async () => {
    const { signIn, read } = setUp();
    const ada = await signIn({ key: "a" }, "ada@acme.example");
    const bob = await signIn({ key: "b" }, "bob@acme.example");
    expect((await ada.getToken(context())).token.reveal()).toBe(read("a").accessToken);
    expect((await bob.getToken(context())).token.reveal()).toBe(read("b").accessToken);
    expect([read("a").user, read("b").user]).toEqual(["ada@acme.example", "bob@acme.example"]);
  });

  test("under one key do not meet in one handle", async () => {
    const { signIn, session } = setUp();
    const first = await signIn({}, "ada@acme.example");
    await first.getToken(context());
    await signIn({}, "ada@acme.example");
    await first.getToken(context());
    await signIn({}, "bob@acme.example");
    const error = await failureOf(first.getToken(context()));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_REQUIRED", message: expect.stringMatching(/somebody/) });
    await session().getToken(context());
  });
});

describe("signing out", () => {
  test("forgets the tokens and gives them back", async () => {
    const { signIn, kept, read, revoked } = setUp();
    const one = await signIn();
    const { refreshToken } = read();
    expect(await one.signOut()).toEqual({ revoked: true });
    expect(kept.size).toBe(0);
    expect(revoked).toEqual([refreshToken]);
    expect((await failureOf(one.getToken(context()))).code).toBe("ERR_LAKEBASE_SIGN_IN_REQUIRED");
    expect(await one.signOut()).toEqual({ revoked: false });
  });

  test.each<[string, object, Answer]>([
    ["has no place for it", { revocation_endpoint: undefined }, () => failure(404)],
    ["cannot be told", {}, () => failure(503)],
    ["does not want it", {}, () => json({ error: "invalid_request" }, 400)],
  ])("forgets them too where the workspace %s", async (_name, metadata, answer) => {
    const { signIn, kept, answers } = setUp(metadata);
    const one = await signIn();
    answers[revocation] = answer;
    expect(await one.signOut()).toEqual({ revoked: false });
    expect(kept.size).toBe(0);
  });

  test.each([
    ["waits for a refresh, which would bring the session back", undefined],
    ["does not fail with a refresh that was under way", () => failure(503)],
  ])("%s", async (_name, trouble) => {
    const { signIn, session, clock, kept, revoked, refreshes, refreshTokens, answers } = setUp();
    const one = await signIn();
    await clock.advance(70 * minute);
    const answer = trouble ?? (answers[paths.token] as Answer);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    answers[paths.token] = async (request) => {
      await held;
      return answer(request);
    };
    const refreshing = watch(session().getToken(context()));
    await expect.poll(refreshes).toBe(1);
    const leaving = one.signOut();
    await settle(5);
    release();
    expect(await leaving).toEqual({ revoked: true });
    expect((await refreshing.now()).settled).toBe(true);
    expect(kept.size).toBe(0);
    // The one that is good: what a refresh has replaced is of no use to give back.
    expect(revoked.map((token) => refreshTokens.get(token)?.used)).toEqual([false]);
  });

  test("gives back what the store had not taken", async () => {
    const { signIn, session, clock, store, revoked, refreshTokens } = setUp();
    const one = await signIn();
    await clock.advance(70 * minute);
    const failing = session({ store: { ...store, set: () => Promise.reject(new Error("down")) } });
    await failureOf(failing.getToken(context()));
    await one.signOut();
    expect(revoked.map((token) => refreshTokens.get(token)?.used)).toEqual([false]);
  });

  test("elsewhere is not undone by a refresh that was under way", async () => {
    const { signIn, session, clock, kept, answers, revoked } = setUp();
    await signIn();
    await clock.advance(70 * minute);
    const answer = answers[paths.token] as Answer;
    answers[paths.token] = (request) => {
      kept.clear();
      return answer(request);
    };
    expect((await failureOf(session().getToken(context()))).code).toBe("ERR_LAKEBASE_SIGN_IN_REQUIRED");
    await settle(5);
    expect(kept.size).toBe(0);
    expect(revoked).toHaveLength(1);
  });
});

describe("the store", () => {
  const down = () => Promise.reject(new Error("the store is down"));

  test.each<[string, Partial<TokenStore>]>([
    ["get", { get: down }],
    [
      "get",
      {
        get: () => {
          throw new Error("at once");
        },
      },
    ],
    ["withLock", { withLock: down }],
  ])("that fails at %s is told, with its own error", async (method, broken) => {
    const { signIn, session, store, clock } = setUp();
    await signIn();
    await clock.advance(70 * minute);
    const error = await failureOf(session({ store: { ...store, ...broken } }).getToken(context()));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_TOKEN_STORE", retryable: true, cause: expect.any(Error) });
    expect(error.message).toContain(`${method}()`);
  });

  test("that could not keep new tokens for hours does not hand out what has ended", async () => {
    const { signIn, session, clock, store } = setUp();
    await signIn();
    await clock.advance(70 * minute);
    await failureOf(session({ store: { ...store, set: down } }).accessToken());
    await clock.advance(130 * minute);
    const { expiresAt } = await session().accessToken();
    expect(expiresAt.getTime()).toBe(clock.now() + 60 * minute);
  });

  test("that quotes what it was given when it fails does not bring tokens into errors", async () => {
    const { signIn, session, store, clock } = setUp();
    // As ORMs word the failure of a statement, or as they hold what it was about.
    const failure = (params: string[]): Error[] => [
      new Error(`Failed query: insert into sessions\nparams: ${params}`),
      new Error("Failed query", { cause: { statement: new Map([["params", params]]) } }),
      Object.assign(new Error("Failed query"), { sent: Buffer.from(params.join()), self: globalThis }),
    ];
    let turn = 0;
    const set = async (key: string, entry: StoredSession) => {
      turn += 1;
      throw Object.assign(failure([key, JSON.stringify(entry)])[turn % 3] as Error, { code: "53300" });
    };
    for (const failing of [
      signIn({ store: { ...store, set } }),
      signIn()
        .then(() => clock.advance(70 * minute))
        .then(() => session({ store: { ...store, set } }).getToken(context())),
    ]) {
      const error = await failureOf(failing);
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_TOKEN_STORE", retryable: true });
      expect(error.message).toMatch(/set\(\).*Error 53300.*quotes/);
      expect(error).not.toHaveProperty("cause");
    }
    const desk = (globalThis as Record<symbol, unknown>)[Symbol.for("@x/lakebase-core/user-session-desk/1")];
    expect(inspect(desk, { depth: 9, showHidden: true })).toMatch(/unsaved.*\[redacted\]/s);
    expect(inspect(desk, { depth: 9, showHidden: true })).not.toMatch(/access-\d|refresh-\d/);
  });

  test("that forgets to run what it locks for is told", async () => {
    const { signIn, session, store, clock } = setUp();
    await signIn();
    await clock.advance(70 * minute);
    const idle = { ...store, withLock: async () => undefined as never };
    const error = await failureOf(session({ store: idle }).getToken(context()));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_TOKEN_STORE", message: expect.stringMatching(/withLock/) });
  });

  test("that cannot keep new tokens once does not cost the session", async () => {
    const { signIn, session, clock, store, read, refreshes } = setUp();
    await signIn();
    await clock.advance(45 * minute);
    const failing = session({ store: { ...store, set: down } });
    expect((await failing.getToken(context())).token.reveal()).toBe(read().accessToken);
    await clock.advance(25 * minute);
    expect((await failureOf(failing.getToken(context()))).code).toBe("ERR_LAKEBASE_TOKEN_STORE");
    const before = read();
    // What was got is past its middle by now, and serves once it is kept.
    expect((await session().getToken(context())).token.reveal()).toBe(read().accessToken);
    expect([read().refreshToken === before.refreshToken, refreshes()]).toEqual([false, 1]);
    await clock.advance(70 * minute);
    await session().getToken(context());
    expect(refreshes()).toBe(2);
  });

  test.each<[string, (stored: StoredSession) => unknown, RegExp]>([
    ["a string", (stored) => JSON.stringify(stored), /parse/],
    ["another layout", (stored) => ({ ...stored, version: 2 }), /version 1/],
    ["nothing of ours", () => ({ tokens: [] }), /version 1/],
    ["another workspace's", (stored) => ({ ...stored, workspaceHost: "https://other.example" }), /belongs to another/],
    ["another app's", (stored) => ({ ...stored, clientId: "other" }), /belongs to another/],
    ["no token", ({ accessToken: _, ...stored }) => stored, /damaged/],
    ["a cut one", (stored) => ({ ...stored, refreshToken: "two\nlines" }), /damaged/],
    ["no sign-in", ({ signIn: _, ...stored }) => stored, /damaged/],
    ["no expiry", (stored) => ({ ...stored, expiresAt: null }), /damaged/],
    ["no expiry either", (stored) => ({ ...stored, expiresAt: "2026" }), /damaged/],
  ])("that answers %s is told, and can be signed out of", async (_name, change, message) => {
    const { signIn, session, read, store, kept, requests } = setUp();
    await signIn();
    const before = requests.length;
    const one = session({ store: { ...store, get: async () => change(read()) as StoredSession } });
    const error = await failureOf(one.getToken(context()));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_TOKEN_STORE", retryable: false });
    expect(error.message).toMatch(message);
    expect(requests).toHaveLength(before);
    await one.signOut();
    expect(kept.size).toBe(0);
  });
});

describe("options", () => {
  const good = { workspaceHost: host, clientId: "app", store: setUp().store, key: "k" };

  test.each<[string, object, RegExp]>([
    ["nothing at all", {}, /clientId`: is undefined/],
    ["no client", { ...good, clientId: undefined }, /userSession.clientId`: is undefined/],
    ["a secret that is undefined", { ...good, clientSecret: undefined }, /userSession.clientSecret`: is undefined/],
    ["an empty secret", { ...good, clientSecret: " " }, /clientSecret`: is empty/],
    ["no key", { ...good, key: "" }, /key`: is empty/],
  ])("with %s are refused at once", (_name, options, message) => {
    expect(() => userSession(options as UserSessionOptions)).toThrow(
      expect.objectContaining({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringMatching(message) }),
    );
  });

  test.each<[string, object, RegExp]>([
    ["no workspace", { workspaceHost: undefined }, /workspaceHost`: must be https/],
    ["a workspace without TLS", { workspaceHost: "http://acme.example" }, /workspaceHost`: must be https/],
    ["half a store", { store: { get() {} } }, /store`: must have get, set and delete/],
    ["no store", { store: undefined }, /store`: must have get, set and delete/],
    ["a redirect without TLS", { redirectUri: "http://shop.example/" }, /redirectUri`: must be https/],
    ["a redirect with a fragment", { redirectUri: "https://shop.example/#x" }, /redirectUri/],
    ["no scopes", { scopes: [] }, /scopes/],
    ["scopes in one string", { scopes: "all-apis" }, /scopes/],
    ["scopes with spaces", { scopes: ["all-apis offline_access"] }, /scopes/],
    ["a path for certificates", { workspaceCa: "/etc/ca.pem", fetch: undefined }, /workspaceCa`: must be PEM/],
    ["certificates beside fetch", { workspaceCa: "-----BEGIN CERTIFICATE-----", fetch }, /no effect/],
    ["a typo", { clientID: "x" }, /clientID`: is not an option/],
    ["a bad name", { applicationName: "é" }, /applicationName`: must be printable/],
    ["two mistakes", { scopes: [], clientID: "x" }, /2 problems.*\n.*clientID.*\n.*scopes/],
  ])("with %s are refused by the first use", async (_name, options, message) => {
    const { requests, ...workspace } = setUp();
    const one = userSession({ ...good, fetch: workspace.fetch, redirectUri, ...options } as UserSessionOptions);
    for (const use of [one.createAuthorizationUrl(), one.getToken(context()), one.signOut()]) {
      const error = await failureOf(use);
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringMatching(message) });
    }
    expect(requests).toEqual([]);
  });

  test("without a redirect are enough until somebody is to sign in", async () => {
    const error = await failureOf(userSession({ ...good, fetch: setUp().fetch }).createAuthorizationUrl());
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringMatching(/redirectUri/) });
  });

  test("name the product in the User-Agent", async () => {
    const { session, requests } = setUp();
    await session({ applicationName: { isv: "acme" } }).createAuthorizationUrl();
    await session().createAuthorizationUrl();
    const names = requests.map(({ headers }) => headers.get("user-agent"));
    expect(names).toEqual([
      expect.stringMatching(/^acme\+lakebase x-lakebase\//),
      expect.stringMatching(/^x-lakebase-core\//),
    ]);
  });
});
