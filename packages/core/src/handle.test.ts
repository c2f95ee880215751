import { inspect } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { settle } from "../test/fake-clock.ts";
import { databaseHost, failure, fakeWorkspace, json, paths, silence, watch } from "../test/fake-workspace.ts";
import { completeClock } from "./clock.ts";
import { resolveConfig } from "./config.ts";
import { LakebaseError } from "./errors.ts";
import type { LakebaseEvent } from "./events.ts";
import { Handle, type HandleParts } from "./handle.ts";
import { accessToken } from "./identity/access-token.ts";
import { clientCredentials } from "./identity/client-credentials.ts";
import { personalAccessToken } from "./identity/personal-access-token.ts";
import { createLakebase } from "./lakebase.ts";
import { logIn } from "./login.ts";
import type { LakebaseOptions } from "./options.ts";
import { createSecret } from "./secret.ts";
import type { WorkspaceAuth } from "./workspace-auth.ts";

const endpoint = "projects/shop/branches/production/endpoints/primary";
const second = 1000;
const minute = 60 * second;
const canary = "dapi-canary-77aa";

// The flows are loaded by their first use, which the clock of a test does not wait for.
beforeAll(() =>
  Promise.all([
    import("./identity/flows.ts"),
    import("./identity/access-token-flow.ts"),
    import("./identity/personal-access-token-flow.ts"),
    import("./identity/client-credentials-flow.ts"),
  ]),
);

function setUp(options: LakebaseOptions = {}) {
  const workspace = fakeWorkspace();
  const { clock } = workspace;
  const events: LakebaseEvent[] = [];
  const all: LakebaseOptions = {
    endpoint,
    workspaceHost: "https://acme.cloud.databricks.com",
    auth: clientCredentials({ clientId: "app-id", clientSecret: "app-secret" }),
    applicationName: "acme+lakebase",
    env: {},
    fetch: workspace.fetch,
    clock,
    ...options,
  };
  const config = resolveConfig(all);
  const parts: HandleParts = {
    config,
    clock: completeClock(clock),
    label: endpoint,
    defaultName: "x-lakebase-core/0",
    emit: (event) => events.push({ ...event, target: endpoint }),
  };
  const handle = new Handle(parts);
  return { ...workspace, handle, parts, events, options: all, connect: () => watch(handle.connection()) };
}

const refused = () => Object.assign(new Error("password authentication failed"), { code: "28P01" });

describe("connection", () => {
  test("holds all that a login needs, and asks for each thing once", async () => {
    const { connect, calls, requests, handle } = setUp();
    const { value } = await connect().now();
    expect(value).toMatchObject({
      host: databaseHost,
      hostAddress: undefined,
      port: 5432,
      database: "databricks_postgres",
      user: "app-id",
      applicationName: "acme+lakebase",
      ssl: { rejectUnauthorized: true, servername: databaseHost, minVersion: "TLSv1.2" },
    });
    expect(value?.password.reveal()).toMatch(/^credential-/);
    await connect().now();
    for (const path of [paths.discovery, paths.token, paths.endpoint, paths.credential]) expect(calls(path)).toBe(1);
    expect(calls(paths.me)).toBe(0);
    for (const { headers } of requests) expect(headers.get("user-agent")).toMatch(/^acme\+lakebase x-lakebase\//);
    expect(handle.health()).toMatchObject({ status: "ready", counts: { refreshes: 1 }, lastErrorCode: undefined });
  });

  test("sends the secret to the token endpoint only, and the workspace token to the workspace only", async () => {
    const { connect, requests } = setUp();
    await connect().now();
    const kinds = requests.map(({ path, headers }) => [path, headers.get("authorization")?.split(" ")[0]]);
    expect(Object.fromEntries(kinds)).toEqual({
      [paths.discovery]: undefined,
      [paths.token]: "Basic",
      [paths.endpoint]: "Bearer",
      [paths.credential]: "Bearer",
    });
  });

  test("mints for an endpoint by its name, its life and its claims", async () => {
    const claims = [{ permissionSet: "READ_ONLY" as const, tables: ["main.shop.orders"] }];
    const { connect, requests } = setUp({ credential: { ttlSeconds: 900, claims } });
    await connect().now();
    expect(JSON.parse(requests.find(({ path }) => path === paths.credential)?.body ?? "")).toEqual({
      endpoint,
      ttl: "900s",
      claims: [{ permission_set: "READ_ONLY", resources: [{ table_name: "main.shop.orders" }] }],
    });
  });

  test("mints for an instance by the other API", async () => {
    const { connect, requests, calls } = setUp({ endpoint: undefined, instance: "shop-db" });
    const { value } = await connect().now();
    expect(value?.host).toBe(databaseHost);
    expect(calls(paths.credential)).toBe(0);
    expect(JSON.parse(requests.find(({ path }) => path === paths.instanceCredential)?.body ?? "")).toEqual({
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      instance_names: ["shop-db"],
    });
  });

  test("asks the workspace for the user where the identity does not tell it", async () => {
    const { connect, calls } = setUp({ auth: personalAccessToken("dapi01") });
    expect((await connect().now()).value?.user).toBe("ada@acme.example");
    await connect().now();
    expect(calls(paths.me)).toBe(1);
  });

  test("refuses a user that would end the field of the startup packet", async () => {
    const auth = clientCredentials({ clientId: "app\0user\0postgres", clientSecret: "x" });
    expect((await setUp({ auth }).connect().now()).error).toBeInstanceOf(LakebaseError);
  });

  test("lists what is missing, and sends nothing", async () => {
    const { connect, requests } = setUp({ endpoint: undefined, auth: undefined, workspaceHost: undefined });
    const { error } = await connect().now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{}, {}, {}] });
    expect(requests).toHaveLength(0);
  });

  test("refuses an option that is none, as every other door does", async () => {
    const { handle } = setUp();
    const state = watch(handle.connection({ databse: "orders" } as object));
    expect((await state.now()).error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
  });

  test("refuses a target or an identity for one login, as they belong to the handle", async () => {
    const { handle } = setUp();
    for (const own of [
      { host: "other.example" },
      { connectionString: "postgresql://other.example/other" },
      { user: "x" },
    ]) {
      expect((await watch(handle.connection(own as object)).now()).error).toMatchObject({
        code: "ERR_LAKEBASE_CONFIG",
      });
    }
  });

  test("ends at its time limit, whatever hangs", async () => {
    for (const path of [paths.discovery, paths.token, paths.endpoint, paths.credential]) {
      const { connect, answers, clock, requests } = setUp({ connectTimeoutMs: 3000 });
      answers[path] = silence;
      const state = connect();
      await clock.advance(2900);
      await state.now();
      expect(state.settled).toBe(false);
      await clock.advance(200);
      expect((await state.now()).error).toMatchObject({ code: "ERR_LAKEBASE_TIMEOUT", retryable: true });
      expect(requests.every(({ signal, path: sent }) => sent !== path || signal?.aborted)).toBe(true);
      expect(clock.pending()).toBe(0);
    }
  });

  test("ends with the reason of the caller's signal", async () => {
    const { handle, answers } = setUp();
    answers[paths.token] = silence;
    const reason = new Error("patience");
    expect((await watch(handle.connection({ signal: AbortSignal.abort(reason) })).now()).error).toBe(reason);
  });

  test("leaves nothing behind that goes on asking when one of its questions has failed", async () => {
    const { connect, answers, clock, calls } = setUp({ auth: personalAccessToken("dapi01") });
    answers[paths.endpoint] = () => failure(404);
    answers[paths.me] = () => failure(503);
    expect((await connect().now()).error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND" });
    await clock.advance(minute);
    const before = calls(paths.me);
    await clock.advance(10 * minute);
    expect(calls(paths.me)).toBe(before);
    expect(clock.pending()).toBe(0);
  });
});

describe("the workspace", () => {
  test("that refuses a token from the cache is asked once more with a new one", async () => {
    const { connect, answers, calls, clock, handle } = setUp();
    await connect().now();
    await clock.advance(61 * minute);
    // Fills the workspace token, so that the credential request finds it in the cache.
    await connect().now();
    handle.invalidate((await connect().now()).value?.password.reveal() ?? "");
    const { token } = paths;
    const before = calls(token);
    let refusals = 0;
    const good = answers[paths.credential];
    answers[paths.credential] = (request) => (refusals++ === 0 ? failure(401) : (good?.(request) ?? failure(500)));
    expect((await connect().now()).error).toBeUndefined();
    expect(calls(token)).toBe(before + 1);
  });

  test("that refuses every token gets two, and then nobody asks for a while", async () => {
    const { connect, answers, calls } = setUp({ host: databaseHost });
    answers[paths.credential] = () => failure(401);
    expect((await connect().now()).error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED", retryable: false });
    const sent = calls(paths.credential);
    expect(sent).toBeLessThanOrEqual(2);
    const storm = await Promise.all(Array.from({ length: 100 }, () => connect().now()));
    expect(storm.every(({ error }) => (error as LakebaseError).code === "ERR_LAKEBASE_UNAUTHENTICATED")).toBe(true);
    expect(calls(paths.credential)).toBe(sent);
  });

  test("that does not know the secret is asked once for a storm", async () => {
    const { connect, answers, calls } = setUp();
    answers[paths.token] = () => json({ error: "invalid_client", error_description: "app-secret" }, 401);
    const storm = await Promise.all(Array.from({ length: 100 }, () => connect().now()));
    expect(calls(paths.token)).toBe(1);
    for (const { error } of storm) {
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
      expect(inspect(error, { depth: Number.POSITIVE_INFINITY })).not.toContain("app-secret");
    }
  });

  test("that fails now and then is asked again within the time limit", async () => {
    const { connect, answers, clock, calls } = setUp();
    const good = answers[paths.credential];
    let failures = 0;
    answers[paths.credential] = (request) => (failures++ < 3 ? failure(503) : (good?.(request) ?? failure(500)));
    const state = connect();
    await clock.advance(10 * second);
    expect((await state.now()).error).toBeUndefined();
    expect(calls(paths.credential)).toBe(4);
  });

  test.each([
    ["no token", { expire_time: "2026-01-01T01:00:00Z" }],
    ["an empty token", { token: "", expire_time: "2026-01-01T01:00:00Z" }],
    ["a token that is a number", { token: 5, expire_time: "2026-01-01T01:00:00Z" }],
    ["a token with a line break", { token: `${canary}\r\nx`, expire_time: "2026-01-01T01:00:00Z" }],
    ["a token with a NUL", { token: `${canary}\0`, expire_time: "2026-01-01T01:00:00Z" }],
  ])("that answers %s gives no password", async (_name, answer) => {
    const { connect, answers } = setUp();
    answers[paths.credential] = () => json(answer);
    const { error } = await connect().now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_BAD_RESPONSE" });
    expect(inspect(error, { depth: Number.POSITIVE_INFINITY })).not.toContain(canary);
  });

  test.each([
    ["no expiry", {}, 5 * minute],
    ["null", { expire_time: null }, 5 * minute],
    ["words", { expire_time: "soon" }, 5 * minute],
    ["the year 9999", { expire_time: "9999-12-31T23:59:59Z" }, 24 * 60 * minute],
    ["nine digits of a second", { expire_time: "2026-01-01T00:30:00.123456789Z" }, 30 * minute + 123],
    ["the other product's name", { expiration_time: "2026-01-01T00:30:00Z" }, 30 * minute],
  ])("that tells %s leaves the token a bounded life", async (_name, answer, lifetimeMs) => {
    const { connect, answers, clock, handle } = setUp();
    answers[paths.token] = () => json({ access_token: "workspace", expires_in: 7 * 24 * 3600 });
    answers[paths.credential] = () => json({ token: "opaque", ...answer });
    await connect().now();
    expect(handle.health().token?.expiresAt.getTime()).toBe(clock.now() + lifetimeMs);
  });

  test.each([[{}], [{ expire_time: "soon" }]])(
    "that tells no expiry (%j) is understood by the token itself",
    async (told) => {
      const { connect, answers, clock, handle } = setUp();
      const claims = Buffer.from(JSON.stringify({ exp: clock.now() / 1000 + 1800 })).toString("base64url");
      answers[paths.credential] = () => json({ token: `eyJhbGciOiJSUzI1NiJ9.${claims}.c2ln`, ...told });
      await connect().now();
      expect(handle.health().token?.remainingMs).toBe(30 * minute);
    },
  );

  test("whose clock is an hour ahead of ours gives tokens that are used for their whole life", async () => {
    const { connect, answers, clock, calls } = setUp();
    const ahead = () => clock.now() + 60 * minute;
    answers[paths.credential] = () =>
      json({ token: "t", expire_time: new Date(ahead() + 60 * minute).toISOString() }, 200, {
        date: new Date(ahead()).toUTCString(),
      });
    await connect().now();
    await clock.advance(30 * minute);
    await connect().now();
    expect(calls(paths.credential)).toBe(1);
    await clock.advance(30 * minute);
    await connect().now();
    expect(calls(paths.credential)).toBe(2);
  });

  test("that gives a short workspace token bounds the credential that is got with it", async () => {
    const { connect, answers, handle } = setUp();
    answers[paths.token] = () => json({ access_token: "workspace", expires_in: 600 });
    await connect().now();
    expect(handle.health().token?.remainingMs).toBe(10 * minute);
  });

  test("is asked for a new workspace token before a credential is got with one that is half used up", async () => {
    const { connect, clock, calls, handle } = setUp();
    await connect().now();
    await clock.advance(42 * minute);
    await connect().now();
    await settle();
    expect([calls(paths.token), calls(paths.credential)]).toEqual([2, 2]);
    expect(handle.health().token?.remainingMs).toBe(60 * minute);
  });

  test.each<[string, LakebaseOptions]>([
    ["option", { workspaceId: "7" }],
    [
      "environment",
      {
        workspaceHost: undefined,
        auth: undefined,
        env: {
          DATABRICKS_HOST: "acme.cloud.databricks.com",
          DATABRICKS_TOKEN: "dapi00",
          DATABRICKS_WORKSPACE_ID: "7",
        },
      },
    ],
  ])("is told which of the workspaces of its host is meant, by %s", async (_name, options) => {
    const { connect, requests } = setUp(options);
    expect((await connect().now()).error).toBeUndefined();
    const told = requests.filter(({ path }) => path.startsWith("/api/"));
    expect(new Set(told.map(({ headers }) => headers.get("x-databricks-workspace-id")))).toEqual(new Set(["7"]));
  });

  test("is asked with the old workspace token when there is no new one, for as long as that lives", async () => {
    const { connect, clock, calls, handle, answers } = setUp();
    await connect().now();
    answers[paths.token] = () => failure(503);
    await clock.advance(42 * minute);
    await connect().now();
    await clock.advance(3 * second);
    await settle();
    expect(calls(paths.credential)).toBe(2);
    expect(handle.health().token?.remainingMs).toBe(18 * minute - 3 * second);
  });

  test("that knows no host yet is asked again by the next login", async () => {
    const { connect, answers } = setUp();
    const good = answers[paths.endpoint];
    answers[paths.endpoint] = () => json({ status: { current_state: "INIT" } });
    expect((await connect().now()).error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND", retryable: true });
    answers[paths.endpoint] = good ?? silence;
    expect((await connect().now()).value?.host).toBe(databaseHost);
  });

  test("that has no read-only host says so, until it has one", async () => {
    const { handle, answers } = setUp();
    answers[paths.endpoints] = () => json({ endpoints: [{ status: { endpoint_type: "ENDPOINT_TYPE_READ_WRITE" } }] });
    const readOnly = () => watch(handle.connection({ access: "read-only" })).now();
    expect((await readOnly()).error).toMatchObject({ message: expect.stringContaining("readable secondaries") });
    const replica = databaseHost.replace(".database", "-ro.database");
    answers[paths.endpoint] = () => json({ status: { hosts: { host: databaseHost, read_only_host: replica } } });
    expect((await readOnly()).value?.host).toBe(replica);
  });

  test("that names a pooler is not followed", async () => {
    const { connect, answers, calls } = setUp();
    const pooler = databaseHost.replace(".database", "-pooler.database");
    answers[paths.endpoint] = () => json({ status: { hosts: { host: pooler } } });
    expect((await connect().now()).error).toMatchObject({ code: "ERR_LAKEBASE_HOST_REFUSED" });
    expect(calls(paths.credential)).toBe(0);
  });

  test.each(["a b", "evil.example/x", "a\0b", "evil.example:5432"])(
    "that names %j as a host is not followed",
    async (host) => {
      const { connect, answers, calls } = setUp();
      answers[paths.endpoint] = () => json({ status: { hosts: { host } } });
      expect((await connect().now()).error).toBeInstanceOf(LakebaseError);
      expect(calls(paths.credential)).toBe(0);
    },
  );

  test.each([[null], ["text"], [5], [{ hosts: null }], [{ hosts: "text" }], [{ hosts: { host: 5 } }]])(
    "that answers %j as an endpoint has no host",
    async (status) => {
      const { connect, answers } = setUp();
      answers[paths.endpoint] = () => json({ status });
      expect((await connect().now()).error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND" });
    },
  );

  test.each([[{}], [{ userName: "" }], [{ userName: 5 }], [{ userName: "a\0b" }]])(
    "that answers %j as the user is told so, with the next step",
    async (me) => {
      const { connect, answers } = setUp({ auth: personalAccessToken("dapi01") });
      answers[paths.me] = () => json(me);
      expect((await connect().now()).error).toMatchObject({ message: expect.stringContaining("give `user`") });
    },
  );
});

describe("an identity of one's own", () => {
  const own = (more: Partial<WorkspaceAuth>): WorkspaceAuth => ({
    kind: "own",
    user: "ada@acme.example",
    getToken: async () => ({ token: createSecret("workspace-token"), lifetimeMs: 60 * minute }),
    ...more,
  });

  test("may name its workspace", async () => {
    const { connect, requests } = setUp({
      workspaceHost: undefined,
      auth: own({ workspaceHost: async () => "other.cloud.databricks.com/?o=1" }),
    });
    expect((await connect().now()).error).toBeUndefined();
    expect(new Set(requests.map(({ url }) => new URL(url).origin))).toEqual(
      new Set(["https://other.cloud.databricks.com"]),
    );
  });

  test.each([
    [
      "another workspace than the options",
      "https://other.example",
      /is https:\/\/acme.*own belongs to https:\/\/other/,
    ],
    ["no https workspace", "http://acme.cloud.databricks.com", /as own names it must be https/],
  ])("that names %s is not asked", async (_name, workspaceHost, message) => {
    const getToken = () => Promise.reject(new Error("was asked"));
    const { connect, requests } = setUp({ auth: own({ workspaceHost: () => workspaceHost, getToken }) });
    expect((await connect().now()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [{ option: "workspaceHost", message: expect.stringMatching(message) }],
    });
    expect(requests).toEqual([]);
  });

  test("is told when its token was refused, so that its issuer's cache is gone round", async () => {
    const forced: boolean[] = [];
    const { connect, answers, handle } = setUp({
      auth: own({
        getToken: async (context) => {
          forced.push(context.forced);
          return { token: createSecret(`workspace-${forced.length}`), lifetimeMs: 60 * minute };
        },
      }),
    });
    const first = await connect().now();
    handle.invalidate(first.value?.password ?? "");
    const good = answers[paths.credential];
    answers[paths.credential] = (request) =>
      request.headers.get("authorization") === "Bearer workspace-1" ? failure(401) : (good?.(request) ?? failure(500));
    expect((await connect().now()).error).toBeUndefined();
    expect(forced).toEqual([false, true]);
  });

  test("has its headers sent with every call to the workspace", async () => {
    const { connect, requests } = setUp({
      auth: own({
        getToken: async () => ({
          token: createSecret("workspace-token"),
          headers: { "x-databricks-workspace-id": "42", authorization: "Basic x" },
        }),
      }),
    });
    await connect().now();
    expect(requests.map(({ headers }) => headers.get("x-databricks-workspace-id"))).toEqual(["42", "42"]);
    expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual(
      Array(2).fill("Bearer workspace-token"),
    );
  });

  const token = createSecret("workspace");
  test.each<[string, unknown]>([
    ["answers nothing", () => undefined],
    ["answers null", () => null],
    ["answers text", () => canary],
    ["answers a token that is text", () => ({ token: canary })],
    ["answers an empty token", () => ({ token: createSecret("") })],
    ["answers a token with a line break", () => ({ token: createSecret(`${canary}\r\nx: y`) })],
    ["answers a life that is none", () => ({ token, lifetimeMs: Number.NaN })],
    ["answers a life that is over", () => ({ token, lifetimeMs: -1 })],
    [
      "throws at once",
      () => {
        throw new Error("sync");
      },
    ],
    ["throws nothing", () => Promise.reject(undefined)],
    ["throws text", () => Promise.reject("text")],
    ["never settles", () => new Promise(() => {})],
  ])("that %s ends within the time limit, in a LakebaseError without the token", async (_name, getToken) => {
    const auth = { kind: "mine", user: "app", getToken } as LakebaseOptions["auth"];
    const { connect, clock } = setUp({ auth });
    const state = connect();
    await clock.advance(31 * second);
    const { error } = await state.now();
    expect(error).toBeInstanceOf(LakebaseError);
    expect(inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })).not.toContain(canary);
    expect(clock.pending()).toBe(0);
  });

  test.each<[string, () => unknown]>([
    ["undefined", () => undefined],
    ["an empty text", () => ""],
    ["a line break", () => `${canary}\n`],
    ["an object", () => ({ token: canary })],
  ])("accessToken() refuses %s at once", async (_name, provider) => {
    const { connect } = setUp({ auth: accessToken(provider as () => string) });
    const { error } = await connect().now();
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect(inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })).not.toContain(canary);
  });

  test("a token with a line break inside is never shown, nor sent", async () => {
    const { connect, requests } = setUp({
      auth: personalAccessToken(`${canary}\r\nx: y`),
      fetch: undefined,
    });
    const { error } = await connect().now();
    expect(error).toMatchObject({ code: expect.stringMatching(/CONFIG|UNAUTHENTICATED/) });
    expect(requests).toHaveLength(0);
  });

  test.each([["http://acme.cloud.databricks.com/token"], ["not a url"], [5], [null]])(
    "client credentials send no secret to a token endpoint %j",
    async (tokenEndpoint) => {
      const { connect, answers, requests } = setUp();
      answers[paths.discovery] = () => json({ token_endpoint: tokenEndpoint });
      expect((await connect().now()).error).toMatchObject({ code: "ERR_LAKEBASE_TLS" });
      expect(requests.filter(({ headers }) => headers.has("authorization"))).toEqual([]);
    },
  );

  test("client credentials go to the classic path where nothing is published", async () => {
    const { connect, answers, calls } = setUp();
    answers[paths.discovery] = () => failure(404);
    expect((await connect().now()).error).toBeUndefined();
    expect(calls(paths.token)).toBe(1);
  });

  test.each([
    ["a number", 3600, 1],
    ["text", "3600", 1],
    ["nothing", undefined, 2],
    ["words", "soon", 2],
  ])("a life told as %s is understood or taken for short", async (_name, expiresIn, fetches) => {
    const { connect, answers, handle, clock, calls } = setUp();
    answers[paths.token] = () => json({ access_token: "workspace", expires_in: expiresIn });
    const first = await connect().now();
    await clock.advance(6 * minute);
    handle.invalidate(first.value?.password ?? "");
    await connect().now();
    expect(calls(paths.token)).toBe(fetches);
  });

  test.each([0, -5])("a token that lives %i seconds is not used", async (expiresIn) => {
    const { connect, answers, clock, calls } = setUp();
    answers[paths.token] = () => json({ access_token: "workspace", expires_in: expiresIn });
    const state = connect();
    await clock.advance(31 * second);
    expect((await state.now()).error).toBeInstanceOf(LakebaseError);
    expect(calls(paths.credential)).toBe(0);
  });
});

describe("a native role", () => {
  const native = { endpoint: undefined, auth: undefined, workspaceHost: undefined, host: "db.example", user: "app" };

  test("needs no workspace and no guard", async () => {
    const { connect, requests, handle } = setUp({ ...native, password: "native" });
    const { value } = await connect().now();
    expect(value).toMatchObject({ host: "db.example", user: "app", expiresAt: undefined });
    expect(value?.password.reveal()).toBe("native");
    expect(requests).toHaveLength(0);
    expect((await watch(handle.credential()).now()).error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
  });

  test("has its function asked for every login", async () => {
    let calls = 0;
    const { connect } = setUp({ ...native, password: async () => `native ${++calls}` });
    expect((await connect().now()).value?.password.reveal()).toBe("native 1");
    expect((await connect().now()).value?.password.reveal()).toBe("native 2");
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["an empty text", ""],
    ["a number", 5],
  ])("is refused a function that answers %s", async (_name, answer) => {
    const { connect } = setUp({ ...native, password: () => answer as string });
    expect((await connect().now()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [{ option: "password" }],
    });
  });

  test.each(["dapi0123456789", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"])(
    "is refused a function that answers a token, which would go to any host: %s",
    async (answer) => {
      const { connect } = setUp({ ...native, password: () => answer });
      const { error } = await connect().now();
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
      expect((error as Error).message).not.toContain(answer);
    },
  );

  test("has a function that never settles ended by the time limit", async () => {
    const { connect, clock } = setUp({ ...native, password: () => new Promise<string>(() => {}) });
    const state = connect();
    await clock.advance(31 * second);
    expect((await state.now()).error).toMatchObject({ code: "ERR_LAKEBASE_TIMEOUT" });
  });
});

describe("logins", () => {
  test("are replayed once with a new token when the one from the cache is refused", async () => {
    const { handle, parts, calls, connect, events } = setUp();
    await connect().now();
    const tokens: string[] = [];
    const state = watch(
      logIn(handle, parts, { scope: parts.config.scope }, async ({ password }, _signal, accepted) => {
        tokens.push(password.reveal());
        if (tokens.length === 1) throw refused();
        accepted();
        return "session";
      }),
    );
    expect((await state.now()).value).toBe("session");
    expect(new Set(tokens).size).toBe(2);
    expect(calls(paths.credential)).toBe(2);
    expect(events.filter(({ type }) => type === "loginRejected")).toMatchObject([
      { tokenFromCache: true, retrying: true },
    ]);
    expect(handle.health()).toMatchObject({ status: "ready", counts: { logins: 1, loginsRejected: 1 } });
  });

  test("cost one refresh when a hundred are refused together", async () => {
    const { handle, parts, calls, connect } = setUp();
    const old = (await connect().now()).value?.password.reveal();
    const logins = Array.from({ length: 100 }, () =>
      watch(
        logIn(handle, parts, { scope: parts.config.scope }, async ({ password }, _signal, accepted) => {
          if (password.reveal() === old) throw refused();
          accepted();
        }),
      ),
    );
    const states = await Promise.all(logins.map((login) => login.now()));
    expect(states.filter(({ error }) => error)).toEqual([]);
    expect(calls(paths.credential)).toBe(2);
  });

  test("are held back for 15 seconds when a new token is refused, and say why", async () => {
    const { handle, parts, calls, clock } = setUp();
    let dials = 0;
    const login = () =>
      watch(
        logIn(handle, parts, { scope: parts.config.scope }, async () => {
          dials += 1;
          throw refused();
        }),
      ).now();
    expect((await login()).error).toMatchObject({ code: "28P01" });
    for (const { error } of await Promise.all(Array.from({ length: 50 }, login))) {
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_LOGIN_REJECTED", cause: { code: "28P01" } });
    }
    expect([dials, calls(paths.credential)]).toEqual([1, 1]);
    expect(handle.health()).toMatchObject({ status: "failing", lastErrorCode: "28P01" });
    await clock.advance(15 * second);
    await login();
    await clock.advance(15 * second);
    await login();
    expect(calls(paths.credential)).toBeLessThanOrEqual(3);
    expect(dials).toBeLessThanOrEqual(5);
  });

  test("wait for a compute that wakes, with the same token", async () => {
    const { handle, parts, calls, clock, events } = setUp();
    let dials = 0;
    const state = watch(
      logIn(handle, parts, { scope: parts.config.scope }, async (_settings, _signal, accepted) => {
        if (++dials < 4) throw Object.assign(new Error("starting up"), { code: "57P03" });
        accepted();
        return "session";
      }),
    );
    await clock.advance(20 * second);
    expect((await state.now()).value).toBe("session");
    expect(calls(paths.credential)).toBe(1);
    expect(events.filter(({ type }) => type === "waking")).toHaveLength(3);
  });

  test("give up on a compute that does not wake at the time limit, with the last error as cause", async () => {
    const { handle, parts, clock } = setUp({ connectTimeoutMs: 5000 });
    const last = Object.assign(new Error("starting up"), { code: "57P03" });
    const state = watch(logIn(handle, parts, { scope: parts.config.scope }, () => Promise.reject(last)));
    await clock.advance(5 * second);
    expect((await state.now()).error).toMatchObject({ code: "ERR_LAKEBASE_TIMEOUT", cause: last });
    expect(clock.pending()).toBe(0);
  });

  test("pass every other error of Postgres through untouched", async () => {
    const { handle, parts } = setUp();
    const error = Object.assign(new Error("no such database"), { code: "3D000" });
    const state = watch(logIn(handle, parts, { scope: parts.config.scope }, () => Promise.reject(error)));
    expect((await state.now()).error).toBe(error);
  });

  test("survive a dial that rejects with nothing", async () => {
    const { handle, parts } = setUp();
    const state = watch(logIn(handle, parts, { scope: parts.config.scope }, () => Promise.reject(undefined)));
    await state.now();
    expect(state.settled).toBe(true);
    expect(state.error).not.toBeInstanceOf(TypeError);
  });
});

describe("health", () => {
  test("is new before the first login, closed after the end", async () => {
    const { handle } = setUp();
    expect(handle.health()).toMatchObject({ status: "new", token: undefined, lastErrorCode: undefined });
    handle.close();
    handle.close();
    expect(handle.health().status).toBe("closed");
  });

  test.each([
    ["the credential", paths.credential],
    ["the host", paths.endpoint],
    ["the workspace token", paths.token],
  ])("is failing, with the code, when %s cannot be had", async (_name, path) => {
    const { handle, connect, answers } = setUp();
    answers[path] = () => failure(403);
    await connect().now();
    expect(handle.health()).toMatchObject({ status: "failing", lastErrorCode: "ERR_LAKEBASE_PERMISSION_DENIED" });
  });

  test("is not new again when the token of an idle process has ended", async () => {
    const { handle, connect, clock } = setUp();
    await connect().now();
    await clock.advance(61 * minute);
    expect(handle.health().status).not.toBe("new");
    expect(handle.health().token).toBeUndefined();
  });

  test("never shows a secret, nor does the handle", async () => {
    const { handle, connect, options, events } = setUp();
    const { value } = await connect().now();
    const token = value?.password.reveal() ?? "";
    const lakebase = createLakebase(options);
    await watch(lakebase.connection()).now();
    for (const thing of [handle, handle.health(), value, lakebase, lakebase.health(), events]) {
      const shown = inspect(thing, { showHidden: true, depth: Number.POSITIVE_INFINITY }) + JSON.stringify(thing);
      expect(shown).not.toContain(token);
      expect(shown).not.toMatch(/app-secret|workspace-token-/);
    }
  });
});

describe("close", () => {
  test("ends what is under way, refuses what comes after, and leaves no timer", async () => {
    const { handle, connect, answers, clock, requests } = setUp();
    answers[paths.credential] = silence;
    const state = connect();
    await state.now();
    handle.close();
    expect((await state.now()).error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    expect((await connect().now()).error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    expect(requests.at(-1)?.signal?.aborted).toBe(true);
    expect(clock.pending()).toBe(0);
  });

  test("counts also before the handle was used", async () => {
    const { options, requests } = setUp();
    const lakebase = createLakebase(options);
    await lakebase.close();
    expect((await watch(lakebase.warmup()).now()).error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    expect(lakebase.health().status).toBe("closed");
    expect(requests).toHaveLength(0);
  });
});

test("a setting that is ignored is told once, when the handle is first used", async () => {
  const { connect, events } = setUp({
    endpoint: undefined,
    auth: undefined,
    workspaceHost: undefined,
    env: {
      LAKEBASE_ENDPOINT: endpoint,
      DATABRICKS_HOST: "https://acme.cloud.databricks.com",
      DATABRICKS_CLIENT_ID: "app-id",
      DATABRICKS_CLIENT_SECRET: "app-secret",
      PGPASSWORD: canary,
    },
  });
  expect(events).toEqual([]);
  await connect().now();
  expect((await connect().now()).error).toBeUndefined();
  expect(events.filter(({ type }) => type === "ignored")).toEqual([
    { type: "ignored", target: endpoint, setting: "PGPASSWORD", reason: expect.any(String) },
  ]);
});
