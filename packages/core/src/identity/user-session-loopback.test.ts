import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../test/fake-clock.ts";
import { watch } from "../../test/fake-workspace.ts";
import { LakebaseError } from "../errors.ts";
import { type LoopbackOptions, signInOnLoopback } from "./user-session-loopback.ts";

const minute = 60_000;

/** A sign-in whose browser is the test's own. */
function setUp(redirectUri?: string) {
  const clock = new FakeClock();
  const callbacks: URL[] = [];
  let outcome: Error | undefined;
  let held: Promise<void> | undefined;
  const hold = () => {
    let release = () => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    return () => release();
  };
  const session = {
    createAuthorizationUrl: async ({ redirectUri: back = "" } = {}) => ({
      url: `https://acme.example/authorize?redirect_uri=${encodeURIComponent(back)}`,
      state: "the-state",
      codeVerifier: "the-verifier",
      redirectUri: back,
    }),
    exchangeAuthorizationCode: async (callback: string | URL | URLSearchParams) => {
      callbacks.push(new URL(String(callback)));
      await held;
      if (outcome) throw outcome;
      return { user: "ada@acme.example" };
    },
  };
  /** Resolves with the address to come back to. */
  const start = (options: Partial<LoopbackOptions> = {}) => {
    let opened: (redirect: string) => void = () => {};
    const redirect = new Promise<string>((resolve) => {
      opened = resolve;
    });
    const open = (url: string) => opened(new URL(url).searchParams.get("redirect_uri") ?? "");
    const done = signInOnLoopback(session, { open, port: 0, ...options }, { clock, redirectUri });
    const state = watch(done);
    return { redirect, done, state };
  };
  const failWith = (error: Error) => {
    outcome = error;
  };
  return { clock, callbacks, start, failWith, hold };
}

async function visit(address: string, headers: Record<string, string> = {}, method = "GET") {
  // By the address: a name could lead a test elsewhere.
  const url = new URL(address);
  const outgoing = request({
    host: "127.0.0.1",
    port: url.port,
    path: url.pathname + url.search,
    method,
    headers: { host: url.host, ...headers },
  });
  const [response] = await once(outgoing.end(), "response");
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode as number, headers: response.headers, body };
}

const isClosed = (address: string) =>
  visit(address).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
  );

describe("signing in on loopback", () => {
  test("waits for the browser, answers it a page, and gives the port back", async () => {
    const { start, callbacks } = setUp();
    const { redirect, done } = start();
    const back = await redirect;
    expect(back).toMatch(/^http:\/\/localhost:\d+$/);
    const page = await visit(`${back}/?code=the-code&state=the-state`);
    expect(page).toMatchObject({ status: 200, body: expect.stringContaining("You are signed in") });
    expect(page.headers).toMatchObject({ "cache-control": "no-store", "referrer-policy": "no-referrer" });
    expect(page.body).not.toContain("the-code");
    expect(await done).toEqual({ user: "ada@acme.example" });
    expect(callbacks.map(({ search }) => search)).toEqual(["?code=the-code&state=the-state"]);
    expect(await isClosed(back)).toBe(true);
  });

  test.each<[string, string, Record<string, string>, string, number]>([
    ["another state", "/?code=x&state=other", {}, "GET", 400],
    ["no state", "/?code=x", {}, "GET", 400],
    ["another name for this machine", "/?code=x&state=the-state", { host: "evil.example" }, "GET", 404],
    ["another path", "/favicon.ico?state=the-state", {}, "GET", 404],
    ["a form", "/?code=x&state=the-state", {}, "POST", 404],
    ["no address", "//", {}, "GET", 404],
  ])("is not disturbed by %s", async (_name, path, headers, method, status) => {
    const { start, callbacks } = setUp();
    const { redirect, done } = start();
    const back = await redirect;
    expect((await visit(back + path, headers, method)).status).toBe(status);
    expect(callbacks).toEqual([]);
    await visit(`${back}/?code=the-code&state=the-state`);
    expect(await done).toEqual({ user: "ada@acme.example" });
  });

  test("takes the first visit only, and leaves no connection open", async () => {
    const { start, callbacks, hold } = setUp();
    const release = hold();
    const { redirect, done } = start();
    const back = await redirect;
    // A browser connects ahead of time.
    const idle = connect(Number(new URL(back).port), "127.0.0.1");
    await once(idle, "connect");
    const first = visit(`${back}/?code=the-code&state=the-state`);
    await expect.poll(() => callbacks.length).toBe(1);
    expect((await visit(`${back}/?code=another&state=the-state`)).status).toBe(404);
    release();
    expect((await first).status).toBe(200);
    await done;
    expect(callbacks).toHaveLength(1);
    await once(idle.resume(), "close");
  });

  test.each([
    ["signed in", undefined],
    ["refused", new LakebaseError("ERR_LAKEBASE_SIGN_IN_DENIED", "no")],
  ])("does not wait for a browser that has gone meanwhile (%s)", async (_name, error) => {
    const { start, callbacks, hold, failWith } = setUp();
    if (error) failWith(error);
    const release = hold();
    const { redirect, done, state } = start();
    const back = new URL(await redirect);
    const tab = connect(Number(back.port), "127.0.0.1");
    tab.write(`GET /?code=the-code&state=the-state HTTP/1.1\r\nhost: ${back.host}\r\n\r\n`);
    await expect.poll(() => callbacks.length).toBe(1);
    tab.destroy();
    await once(tab, "close");
    // Known to the server by now, too: what comes later is answered later.
    expect((await visit(`${back.origin}/late`)).status).toBe(404);
    release();
    const { settled } = await state.now();
    expect(settled).toBe(true);
    if (error) await expect(done).rejects.toBe(error);
    else expect(await done).toEqual({ user: "ada@acme.example" });
  });

  test("tells the browser and the program when it fails", async () => {
    const { start, failWith } = setUp();
    const denied = new LakebaseError("ERR_LAKEBASE_SIGN_IN_DENIED", "no");
    failWith(denied);
    const { redirect, done } = start();
    const settled = expect(done).rejects.toBe(denied);
    const back = await redirect;
    const page = await visit(`${back}/?error=access_denied&state=the-state`);
    expect(page).toMatchObject({ status: 400, body: expect.stringContaining("Sign-in failed") });
    await settled;
    expect(await isClosed(back)).toBe(true);
  });

  test("gives up after five minutes, or as long as it is told", async () => {
    for (const [timeoutMs, waited] of [
      [undefined, 5 * minute],
      [1000, 1000],
    ] as const) {
      const { start, clock } = setUp();
      const { redirect, state } = start(timeoutMs === undefined ? {} : { timeoutMs });
      const back = await redirect;
      await clock.advance(waited - 1);
      expect(state.settled).toBe(false);
      await clock.advance(1);
      expect((await state.now()).error).toMatchObject({ code: "ERR_LAKEBASE_SIGN_IN_FAILED" });
      await expect.poll(() => isClosed(back)).toBe(true);
    }
  });

  test("ends by a signal, with its reason", async () => {
    const { start } = setUp();
    const controller = new AbortController();
    const { redirect, done } = start({ signal: controller.signal });
    const settled = expect(done).rejects.toThrow("enough");
    const back = await redirect;
    controller.abort(new Error("enough"));
    await settled;
    expect(await isClosed(back)).toBe(true);
    await expect(start({ signal: AbortSignal.abort(new Error("before")) }).done).rejects.toThrow("before");
  });

  test.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no browser");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no browser"))],
  ])("ends when the browser cannot be opened: open() %s", async (_name, open) => {
    const { start } = setUp();
    await expect(start({ open }).done).rejects.toMatchObject({
      code: "ERR_LAKEBASE_SIGN_IN_FAILED",
      cause: expect.objectContaining({ message: "no browser" }),
    });
  });

  test("does not wait for what open() answers", async () => {
    const { start } = setUp();
    let back = "";
    const open = (url: string) => {
      back = new URL(url).searchParams.get("redirect_uri") ?? "";
      return new Promise(() => {});
    };
    const { done } = start({ open });
    await expect.poll(() => back).not.toBe("");
    await visit(`${back}/?code=the-code&state=the-state`);
    expect(await done).toEqual({ user: "ada@acme.example" });
  });

  test("says so when its port is taken", async () => {
    const taken = createServer();
    await once(taken.listen(0, "127.0.0.1"), "listening");
    const { port } = taken.address() as AddressInfo;
    try {
      await expect(setUp().start({ port }).done).rejects.toMatchObject({
        code: "ERR_LAKEBASE_SIGN_IN_FAILED",
        message: expect.stringMatching(new RegExp(`port ${port} .*EADDRINUSE.*registered`)),
      });
      // The session's own redirect URI names the same one.
      await expect(setUp(`http://localhost:${port}/done`).start({ port: undefined }).done).rejects.toMatchObject({
        message: expect.stringContaining(`port ${port} `),
      });
    } finally {
      taken.close();
    }
  });

  test("keeps the path of the session's own redirect URI", async () => {
    const { start } = setUp("http://127.0.0.1:1/signed/in");
    const { redirect, done } = start();
    const back = await redirect;
    expect(back).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/signed\/in$/);
    expect((await visit(`${new URL(back).origin}/?code=x&state=the-state`)).status).toBe(404);
    await visit(`${back}?code=the-code&state=the-state`);
    await done;
  });

  test.each([
    [{ open: undefined }, /open/],
    [{ port: 65_536 }, /port/],
    [{ port: 1.5 }, /port/],
    [{ timeoutMs: Number.NaN }, /timeoutMs/],
    [{ timeoutMs: "5 minutes" }, /timeoutMs/],
    [{ timeoutMs: 2 ** 31 }, /timeoutMs/],
    [{ port: -1, timeoutMs: 0 }, /port.*timeoutMs/s],
  ])("refuses %o", async (options, message) => {
    await expect(setUp().start(options as never).done).rejects.toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(message),
    });
  });
});
