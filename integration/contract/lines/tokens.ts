import { setImmediate } from "node:timers/promises";
import { accessToken, isLoginRejected, type Lakebase } from "@x/lakebase-core";
import { startLocalLakebase } from "@x/lakebase-local";
import { expect, test } from "vitest";
import { errorLinks } from "../error-links.ts";
import { outcomes, rejection, times, type World } from "../world.ts";

const minute = 60_000;

export function tokenLines(world: World): void {
  const credentialCalls = () => world.requests("credential").length;

  test("makes one token call and one credential call for 50 first connections at once", async () => {
    const app = world.open({ max: 50 });
    const { succeeded } = await outcomes(times(50, () => app.query("select pg_sleep(0.1)::text")));
    expect(succeeded).toBe(50);
    expect(world.logins()).toHaveLength(50);
    expect(world.requests("token")).toHaveLength(1);
    expect(credentialCalls()).toBe(1);
  });

  test("makes one token call and one credential call for five pools on one handle", async () => {
    const lakebase = world.handle();
    const apps = times(5, (index) => world.open({ lakebase, applicationName: `pool-${index}`, max: 10 }));
    await Promise.all(apps.flatMap((app) => times(10, () => app.query("select pg_sleep(0.1)::text"))));
    expect(new Set(world.logins().map(({ applicationName }) => applicationName))).toHaveLength(5);
    expect(world.requests("token")).toHaveLength(1);
    expect(credentialCalls()).toBe(1);
  });

  test("logs in as an instance as it does as an endpoint", async () => {
    const app = world.open(world.options(world.local.envFor("instance")));
    await app.query("select 1");
    expect(world.logins().map(({ product, outcome }) => ({ product, outcome }))).toEqual([
      { product: "provisioned", outcome: "accepted" },
    ]);
  });

  test("asks the workspace for host and user where nobody gives them", async () => {
    const { PGHOST: _host, PGUSER: _user, ...env } = world.local.env;
    const person = { ...env, DATABRICKS_TOKEN: world.local.user.personalAccessToken, DATABRICKS_AUTH_TYPE: "pat" };
    const [row] = await world.open(world.options(person)).query("select current_user as name");
    expect(row?.name).toBe(world.local.user.userName);
    expect(world.requests("me")).toHaveLength(1);
    expect(world.requests("endpoint")).toHaveLength(1);
    expect(world.logins()[0]?.host).toBe(world.local.host);
  });

  test("goes on with an open session after its token has ended", async () => {
    const app = world.open({ max: 1 });
    await app.query("select 1");
    world.local.clock.advance(61 * minute);
    await app.query("select 1");
    expect(world.logins()).toHaveLength(1);
    expect(credentialCalls()).toBe(1);
  });

  test.each([
    // Four hours with a token of an hour, half a minute with a token of six seconds: what scales with the life must.
    { tokenLifeSeconds: 3600, stepMs: 5 * minute, steps: 48, atLeast: 5 },
    { tokenLifeSeconds: 6, stepMs: 500, steps: 60, atLeast: 7 },
  ])(
    "rotates $tokenLifeSeconds s tokens under load: no failed query, one credential call a rotation, no login that waited",
    async ({ tokenLifeSeconds, stepMs, steps, atLeast }) => {
      await using local = await startLocalLakebase({ tokenLifeSeconds, log: () => {} });
      const lakebase = world.handle({ env: local.env, clock: local.clock });
      const app = world.open({ lakebase, max: 4 });
      await lakebase.warmup();
      for (let step = 0; step < steps; step += 1) {
        local.clock.advance(stepMs);
        const { failures } = await outcomes(times(4, () => app.query("select 1")));
        expect(failures).toEqual([]);
        await refreshIsOver(lakebase);
        // A pool may still open connections that no query waits for any more.
        while (lakebase.health().counts.logins < local.logins.length) await setImmediate();
        await world.endSessions(local);
      }
      const rotations = world.events.filter((event) => event.type === "refresh");
      expect(rotations.length).toBeGreaterThanOrEqual(atLeast);
      expect(new Set(rotations.slice(1).map(({ reason }) => reason))).toEqual(new Set(["stale"]));
      expect(local.requests.filter(({ operation }) => operation === "credential")).toHaveLength(rotations.length);
      // A pool may open fewer connections than it has queries waiting.
      expect(local.logins.length).toBeGreaterThanOrEqual(steps * 2);
      expect(new Set(local.logins.map(({ outcome }) => outcome))).toEqual(new Set(["accepted"]));
      expect(lakebase.health().counts).toMatchObject({ tokenWaits: 1, loginsRejected: 0 });
      await app.end();
    },
  );

  test("serves the old token through an outage of the token endpoint, and spaces its tries", async () => {
    const lakebase = world.handle();
    const app = world.open({ lakebase, max: 1 });
    await lakebase.warmup();
    world.local.clock.advance(41 * minute);
    const fault = world.local.faults.api({ on: "credential", kind: "status", status: 503 });
    for (let second = 0; second < 15 * 60; second += 1) {
      world.local.clock.advance(1000);
      await lakebase.connection();
      if (second % 60 === 0) {
        await app.query("select 1");
        await world.endSessions();
      }
      await refreshIsOver(lakebase);
    }
    expect(lakebase.health().status).toBe("stale");
    // 900 logins wanted a token; full jitter up to a minute and never under a tenth of it bounds the tries.
    expect(fault.hits).toBeGreaterThanOrEqual(10);
    expect(fault.hits).toBeLessThanOrEqual(170);
    expect(world.events.filter(({ type }) => type === "refreshFailed")).toHaveLength(fault.hits);
    fault.clear();
    world.local.clock.advance(2 * minute);
    await app.query("select 1");
    await refreshIsOver(lakebase);
    expect(lakebase.health().status).toBe("ready");
    expect(lakebase.health().counts.tokenWaits).toBe(1);
  });

  test("obeys Retry-After while the old token serves", async () => {
    const lakebase = world.handle();
    await lakebase.warmup();
    world.local.clock.advance(45 * minute);
    const fault = world.local.faults.api({ on: "credential", kind: "status", status: 429, retryAfter: 120 });
    for (let second = 0; second < 115; second += 1) {
      await lakebase.connection();
      await refreshIsOver(lakebase);
      world.local.clock.advance(1000);
    }
    expect(fault.hits).toBe(1);
  });

  test("logs in again with one new token after its token was revoked", async () => {
    const app = world.open({ max: 1 });
    await app.query("select 1");
    await world.endSessions();
    world.local.revokeAll();
    await app.query("select 1");
    expect(world.logins().map(({ outcome }) => outcome)).toEqual(["accepted", "refused", "accepted"]);
    expect(credentialCalls()).toBe(2);
    expect(world.events.filter(({ type }) => type === "loginRejected")).toHaveLength(1);
  });

  test("fetches one new token for 100 logins that are refused at once, in both products' words", async () => {
    for (const target of ["endpoint", "instance"] as const) {
      const before = credentialCalls();
      const lakebase = world.handle(world.options(world.local.envFor(target)));
      const app = world.open({ lakebase, max: 100 });
      await app.query("select 1");
      await world.endSessions();
      world.local.revokeAll();
      const { failures } = await outcomes(times(100, () => app.query("select 1")));
      expect(failures).toEqual([]);
      expect(credentialCalls() - before).toBe(2);
      await app.end();
    }
  });

  test("refuses to storm for an identity that has no Postgres role", async () => {
    const { clientId, clientSecret } = await world.local.addServicePrincipal({ role: false });
    const env = { ...world.local.env, DATABRICKS_CLIENT_ID: clientId, DATABRICKS_CLIENT_SECRET: clientSecret };
    const app = world.open({ ...world.options({ ...env, PGUSER: clientId }), max: 1 });
    const first = await rejection(app.query("select 1"));
    expect(isLoginRejected(first)).toBe(true);
    for (const error of (await outcomes(times(50, () => app.query("select 1")))).failures) {
      expect(isLoginRejected(error)).toBe(true);
    }
    expect(credentialCalls()).toBe(1);
    expect(world.logins()).toHaveLength(1);
    world.local.clock.advance(16_000);
    await outcomes(times(50, () => app.query("select 1")));
    expect(credentialCalls()).toBe(2);
    expect(world.logins().length).toBeLessThanOrEqual(4);
  });

  test("replaces a workspace token that is refused, once", async () => {
    const lakebase = world.handle();
    await lakebase.warmup();
    world.local.revokeAll("workspace");
    world.local.clock.advance(61 * minute);
    world.local.revokeAll("workspace");
    await lakebase.credential();
    expect(world.requests("token")).toHaveLength(2);
    lakebase.invalidate((await lakebase.credential()).token);
    world.local.revokeAll("workspace");
    await lakebase.credential();
    expect(world.requests("token")).toHaveLength(3);
    expect(world.requests("credential").map(({ status }) => status)).toEqual([200, 200, 401, 200]);
  });

  test("frees the way for the next try when a token request never answers", async () => {
    const lakebase = world.handle();
    const fault = world.local.faults.api({ on: "credential", kind: "hang", times: 1 });
    const hurried = world.open({ lakebase, connectTimeoutMs: 1000 });
    do expect(findTimeout(await rejection(hurried.query("select 1")))).toBe(true);
    while (fault.hits === 0);
    expect(world.arrivals().connections).toBe(0);
    await world.open({ lakebase }).query("select 1");
    expect(credentialCalls()).toBe(2);
  });

  test.each([
    ["throws", () => Promise.reject(new Error("the app has no token"))],
    ["answers nothing", () => "" as string],
    ["answers a number", () => 42 as unknown as string],
    ["answers a line break", () => "a\r\nb"],
  ])("opens no socket when the app's own token function %s", async (_name, provider) => {
    const { workspaceUrl: workspaceHost, ca: workspaceCa } = world.local;
    let asked = 0;
    const app = world.open({
      auth: accessToken(() => {
        asked += 1;
        return provider();
      }),
      workspaceHost,
      workspaceCa,
      user: "x",
      // A function that throws may do better the next time, so it is asked until then.
      connectTimeoutMs: 500,
    });
    let error: unknown;
    do error = await rejection(app.query("select 1"));
    while (asked === 0);
    expect(codesOf(error)).toContain("ERR_LAKEBASE_UNAUTHENTICATED");
    expect(world.arrivals().connections).toBe(0);
    expect(world.requests()).toHaveLength(0);
  });
}

/** A refresh behind the logins has ended, well or badly. */
async function refreshIsOver(lakebase: Lakebase): Promise<void> {
  while (lakebase.health().refreshing) await setImmediate();
}

function codesOf(error: unknown): unknown[] {
  return errorLinks(error).map(({ code }) => code);
}

function findTimeout(error: unknown): boolean {
  return codesOf(error).includes("ERR_LAKEBASE_TIMEOUT");
}
