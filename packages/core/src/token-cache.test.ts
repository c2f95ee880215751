import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../test/fake-clock.ts";
import { LakebaseError } from "./errors.ts";
import type { LakebaseEventBody } from "./events.ts";
import { maxRetryAfterMs } from "./expiry.ts";
import { type MintContext, type Minted, TokenCache, type TokenGrant, type TokenWait } from "./token-cache.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** One request for a token that the test has to answer. */
interface Ask extends MintContext {
  readonly at: { readonly wall: number; readonly monotonic: number };
  settled: boolean;
  resolve(minted: Minted<string>): void;
  reject(error: unknown): void;
}

function setUp({ random = 0.5, hostile = false } = {}) {
  const clock = new FakeClock();
  const asks: Ask[] = [];
  const events: LakebaseEventBody[] = [];
  const cache = new TokenCache<string>({
    clock,
    random: () => random,
    label: "token",
    onEvent: (event) => events.push(event),
    mint: ({ signal, background, forced }) =>
      new Promise<Minted<string>>((resolve, reject) => {
        const ask: Ask = {
          signal,
          background,
          forced,
          at: { wall: clock.now(), monotonic: clock.monotonic() },
          settled: false,
          resolve: (minted) => {
            ask.settled = true;
            resolve(minted);
          },
          reject: (error) => {
            ask.settled = true;
            reject(error);
          },
        };
        asks.push(ask);
        if (!hostile) signal.addEventListener("abort", () => ask.reject(signal.reason));
      }),
  });
  const minted = (value: string, lifetimeMs = hour): Minted<string> => ({
    value,
    lifetimeMs,
    expiresAt: clock.now() + lifetimeMs,
  });
  const last = () => asks.at(-1) as Ask;
  const get = (wait: Partial<TokenWait> = {}) => caller(cache, wait);
  /** Fills the cache. */
  const prime = async (value = "first", lifetimeMs = hour) => {
    const first = get();
    await settle();
    last().resolve(minted(value, lifetimeMs));
    await first.done;
    expect(first.token).toBe(value);
  };
  return { clock, asks, events, cache, minted, last, get, prime };
}

function caller(cache: TokenCache<string>, { signal, background = false }: Partial<TokenWait> = {}) {
  const controller = new AbortController();
  const state = {
    grant: undefined as TokenGrant<string> | undefined,
    error: undefined as unknown,
    settled: false,
    abort: (reason: unknown = new Error("patience")) => controller.abort(reason),
    done: Promise.resolve(),
    get token() {
      return state.grant?.cached.value;
    },
  };
  const settled = (grant?: TokenGrant<string>, error?: unknown) =>
    void Object.assign(state, { grant, error, settled: true });
  try {
    const answer = cache.get({ signal: signal ?? controller.signal, background });
    if (answer instanceof Promise) {
      state.done = answer.then(
        (grant) => settled(grant),
        (error) => settled(undefined, error),
      );
    } else settled(answer);
  } catch (error) {
    settled(undefined, error);
  }
  return state;
}

const unavailable = (retryAfterMs?: number) =>
  new LakebaseError("ERR_LAKEBASE_UNAVAILABLE", "the service failed", { retryable: true, retryAfterMs });
const denied = () => new LakebaseError("ERR_LAKEBASE_PERMISSION_DENIED", "no access");

describe("a token cache", () => {
  test("asks nobody before it is used, and holds no timer while it is idle", async () => {
    const { asks, clock, prime, cache } = setUp();
    expect(asks).toHaveLength(0);
    expect(cache.snapshot()).toMatchObject({ phase: "none", refreshes: 0, failures: 0, lastErrorCode: undefined });
    await prime();
    expect(clock.pending()).toBe(0);
    expect(cache.snapshot()).toMatchObject({ phase: "fresh", refreshes: 1 });
  });

  test("fetches once for a hundred callers", async () => {
    const { asks, get, last, minted } = setUp();
    const callers = Array.from({ length: 100 }, () => get());
    await settle();
    expect(asks).toHaveLength(1);
    last().resolve(minted("one"));
    await settle();
    expect(callers.every(({ token, grant }) => token === "one" && grant?.fromCache === false)).toBe(true);
  });

  test("answers synchronously while the token is fresh", async () => {
    const { clock, prime, get, asks } = setUp();
    await prime();
    await clock.advance(35 * minute);
    const later = get();
    expect(later.grant).toMatchObject({ fromCache: true, cached: { value: "first" } });
    expect(asks).toHaveLength(1);
  });

  test("answers at once while the token is stale, and refreshes it behind the callers' backs, once", async () => {
    const { clock, prime, get, asks, last, minted, events } = setUp();
    await prime();
    await clock.advance(41 * minute);
    expect([get(), get(), get()].map(({ token }) => token)).toEqual(["first", "first", "first"]);
    await settle();
    expect(asks).toHaveLength(2);
    expect(last().background).toBe(true);
    expect(clock.pending(true)).toBe(0);
    last().resolve(minted("second"));
    await settle();
    expect(get().token).toBe("second");
    expect(events.map(({ type }) => type)).toEqual(["refresh", "stale", "refresh"]);
    expect(events.at(-1)).toMatchObject({ reason: "stale" });
  });

  test("keeps the old token while a refresh fails", async () => {
    const { clock, prime, get, asks, last, events, cache } = setUp();
    await prime();
    await clock.advance(41 * minute);
    get();
    await settle();
    last().reject(unavailable());
    await settle();
    expect(get().token).toBe("first");
    expect(asks).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ type: "refreshFailed", code: "ERR_LAKEBASE_UNAVAILABLE", servingOld: true });
    expect(cache.snapshot()).toMatchObject({ phase: "stale", failures: 1, lastErrorCode: "ERR_LAKEBASE_UNAVAILABLE" });
  });

  test("fails nobody and makes nobody wait in an outage that is shorter than the refresh ahead", async () => {
    const { clock, prime, get, asks, last, minted } = setUp();
    await prime();
    await clock.advance(38 * minute);
    for (let elapsed = 0; elapsed < 18 * minute; elapsed += 5 * second) {
      const login = get();
      expect(login.settled && login.token).toBe("first");
      await settle();
      if (!last().settled) last().reject(unavailable());
      await clock.advance(5 * second);
    }
    expect(asks.length).toBeGreaterThan(10);
    expect(asks.length).toBeLessThan(80);
    await clock.advance(minute);
    get();
    await settle();
    last().resolve(minted("second"));
    await settle();
    expect(get().token).toBe("second");
  });

  test("fetches before it answers when the token has ended", async () => {
    const { clock, prime, get, asks, last, minted, events } = setUp();
    await prime();
    await clock.advance(hour);
    const login = get();
    expect(login.settled).toBe(false);
    await settle();
    last().resolve(minted("second"));
    await login.done;
    expect(login.token).toBe("second");
    expect(asks).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ type: "refresh", reason: "expired" });
  });

  test("takes the new token when the refresh of a token about to end is quick", async () => {
    const { clock, prime, get, last, minted } = setUp();
    await prime();
    await clock.advance(hour - 30 * second);
    const login = get();
    expect(login.settled).toBe(false);
    await clock.advance(second);
    last().resolve(minted("second"));
    await login.done;
    expect(login.grant).toMatchObject({ fromCache: false, cached: { value: "second" } });
    expect(clock.pending()).toBe(0);
  });

  test("takes the old token after two seconds when the refresh of a token about to end is slow", async () => {
    const { clock, prime, get, last, minted } = setUp();
    await prime();
    await clock.advance(hour - 30 * second);
    const login = get();
    await clock.advance(1999);
    expect(login.settled).toBe(false);
    await clock.advance(1);
    expect(login.grant).toMatchObject({ fromCache: true, cached: { value: "first" } });
    last().resolve(minted("second"));
    await settle();
    expect(get().token).toBe("second");
  });

  test("never waits past the end of a token that is about to end", async () => {
    const { clock, prime, get, last } = setUp();
    await prime();
    await clock.advance(hour - second);
    const login = get();
    await clock.advance(500);
    expect(login.token).toBe("first");
    last().reject(unavailable());
    await settle();
  });

  test("gives those who joined a refresh in the background a try of their own when it fails", async () => {
    const { clock, prime, get, asks, last, minted } = setUp();
    await prime();
    await clock.advance(hour - 5 * second);
    get();
    await clock.advance(5 * second);
    const joined = get();
    await settle();
    expect(asks).toHaveLength(2);
    last().reject(unavailable());
    await clock.advance(second);
    expect(joined.settled).toBe(false);
    expect(asks).toHaveLength(3);
    last().resolve(minted("second"));
    await joined.done;
    expect(joined.token).toBe("second");
  });

  test("tries again, spaced by backoff, as long as somebody waits", async () => {
    const { clock, get, asks, last, minted } = setUp({ random: 1 });
    const login = get();
    const pauses: number[] = [];
    for (let tries = 0; tries < 8; tries += 1) {
      await settle();
      const failedAt = clock.monotonic();
      last().reject(unavailable());
      await clock.advance(5 * second);
      pauses.push(last().at.monotonic - failedAt);
    }
    expect(asks).toHaveLength(9);
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
    last().resolve(minted("late"));
    await login.done;
    expect(login.token).toBe("late");
  });

  test("starts its backoff over after a success", async () => {
    const { clock, prime, get, last, minted, cache, events } = setUp({ random: 1 });
    const login = get();
    for (let tries = 0; tries < 4; tries += 1) {
      await settle();
      last().reject(unavailable());
      await clock.advance(5 * second);
    }
    last().resolve(minted("one"));
    await login.done;
    expect(cache.snapshot()).toMatchObject({ failures: 0, lastErrorCode: undefined });
    await clock.advance(hour);
    const next = get();
    await settle();
    last().reject(unavailable());
    await settle();
    expect(events.at(-1)).toMatchObject({ failures: 1, retryInMs: 250 });
    next.abort();
    await next.done;
    await clock.advance(minute);
    await prime("two");
  });

  test("gives up a try that has no answer after ten seconds, and tries again", async () => {
    const { clock, get, asks, last, minted } = setUp({ hostile: true });
    const login = get();
    await clock.advance(9999);
    expect(asks[0]?.signal.aborted).toBe(false);
    await clock.advance(second);
    expect(asks[0]?.signal.aborted).toBe(true);
    expect(asks).toHaveLength(2);
    last().resolve(minted("second"));
    await login.done;
    expect(login.token).toBe("second");
  });

  test("tells a caller whose time is up what went wrong meanwhile", async () => {
    const { clock, get, last } = setUp();
    const login = get();
    await settle();
    last().reject(unavailable());
    await settle();
    login.abort(new LakebaseError("ERR_LAKEBASE_TIMEOUT", "not there within 30000 ms", { retryable: true }));
    await login.done;
    expect(login.error).toMatchObject({
      code: "ERR_LAKEBASE_UNAVAILABLE",
      retryable: true,
      message: expect.stringMatching(/30000 ms.*1 try.*the service failed/),
    });
    await clock.advance(minute);
  });

  describe("when an answer will not change", () => {
    test("lets a storm of a hundred callers cost one request", async () => {
      const { get, asks, last } = setUp();
      const first = get();
      await settle();
      const error = denied();
      last().reject(error);
      await first.done;
      expect(first.error).toBe(error);
      const storm = Array.from({ length: 100 }, () => get());
      await settle();
      expect(storm.every((login) => login.error === error)).toBe(true);
      expect(asks).toHaveLength(1);
    });

    test("asks again after five seconds", async () => {
      const { clock, get, asks, last, minted } = setUp();
      const first = get();
      await settle();
      last().reject(denied());
      await first.done;
      await clock.advance(5 * second);
      const next = get();
      await settle();
      expect(asks).toHaveLength(2);
      last().resolve(minted("granted"));
      await next.done;
      expect(next.token).toBe("granted");
    });

    test("goes on using the old token until it ends", async () => {
      const { clock, prime, get, asks, last } = setUp();
      await prime();
      await clock.advance(41 * minute);
      get();
      await settle();
      last().reject(denied());
      await settle();
      for (let elapsed = 0; elapsed < 17 * minute; elapsed += second) {
        expect(get().token).toBe("first");
        await settle();
        if (!last().settled) last().reject(denied());
        await clock.advance(second);
      }
      expect(asks.length).toBeLessThan(17 * 12);
    });
  });

  describe("when the server asks to wait", () => {
    test("asks nobody before that, though somebody waits", async () => {
      const { clock, get, asks, last, minted } = setUp();
      const login = get();
      await settle();
      last().reject(unavailable(20 * second));
      await clock.advance(20 * second - 1);
      expect(asks).toHaveLength(1);
      await clock.advance(1);
      expect(asks).toHaveLength(2);
      last().resolve(minted("second"));
      await login.done;
      expect(login.token).toBe("second");
    });

    test("serves the cached token meanwhile", async () => {
      const { clock, prime, get, asks, last } = setUp();
      await prime();
      await clock.advance(41 * minute);
      get();
      await settle();
      last().reject(unavailable(3 * minute));
      await settle();
      await clock.advance(3 * minute - 1);
      expect(get().token).toBe("first");
      await settle();
      expect(asks).toHaveLength(2);
      await clock.advance(1);
      get();
      await settle();
      expect(asks).toHaveLength(3);
    });

    test("believes no wait without an end, whoever asks for it", async () => {
      const { clock, get, asks, last, minted } = setUp();
      const login = get();
      await settle();
      last().reject(unavailable(Number.POSITIVE_INFINITY));
      await clock.advance(maxRetryAfterMs + second);
      expect(asks).toHaveLength(2);
      last().resolve(minted("second"));
      await login.done;
      expect(login.token).toBe("second");
    });
  });

  describe("a caller that gives up", () => {
    test("does not disturb the others", async () => {
      const { get, last, asks, minted } = setUp();
      const [patient, impatient] = [get(), get()];
      await settle();
      const reason = new Error("patience");
      impatient.abort(reason);
      await impatient.done;
      expect(impatient.error).toBe(reason);
      expect(last().signal.aborted).toBe(false);
      last().resolve(minted("one"));
      await patient.done;
      expect(patient.token).toBe("one");
      expect(asks).toHaveLength(1);
    });

    test("does not disturb one who waits in the background", async () => {
      const { get, last, minted } = setUp();
      const behind = get({ background: true });
      const front = get();
      await settle();
      front.abort();
      await front.done;
      last().resolve(minted("one"));
      await behind.done;
      expect(behind.error).toBeUndefined();
      expect(behind.token).toBe("one");
    });

    test("ends a request that nobody needs any more, so that the next caller begins anew", async () => {
      const { get, asks, last, minted } = setUp({ hostile: true });
      const first = get();
      await settle();
      first.abort();
      await first.done;
      expect(asks[0]?.signal.aborted).toBe(true);
      const next = get();
      await settle();
      expect(asks).toHaveLength(2);
      last().resolve(minted("second"));
      await next.done;
      expect(next.token).toBe("second");
    });

    test("leaves an answer that comes too late without effect", async () => {
      const { get, asks, last, minted } = setUp({ hostile: true });
      const first = get();
      await settle();
      first.abort();
      await first.done;
      const next = get();
      await settle();
      last().resolve(minted("newer"));
      await next.done;
      asks[0]?.resolve(minted("older"));
      await settle();
      expect(get().token).toBe("newer");
    });

    test("is told so even before it waits", async () => {
      const { get, asks } = setUp();
      const reason = new Error("patience");
      const login = get({ signal: AbortSignal.abort(reason) });
      await login.done;
      expect(login.error).toBe(reason);
      await settle();
      expect(asks.every(({ signal, settled }) => signal.aborted || settled)).toBe(true);
    });
  });

  describe("a token that was refused", () => {
    test("is dropped once, however many have seen it refused", async () => {
      const { cache, prime, get, asks, last, minted, events } = setUp();
      await prime();
      const dropped = Array.from({ length: 100 }, () => cache.invalidate((value) => value === "first"));
      expect(dropped.filter(Boolean)).toHaveLength(1);
      const callers = Array.from({ length: 100 }, () => get());
      await settle();
      expect(asks).toHaveLength(2);
      last().resolve(minted("second"));
      await settle();
      expect(callers.every(({ token }) => token === "second")).toBe(true);
      expect(events.at(-1)).toMatchObject({ type: "refresh", reason: "rejected" });
      expect(cache.invalidate((value) => value === "first")).toBe(false);
      expect(get().token).toBe("second");
    });

    test("is not handed to those who waited for its successor", async () => {
      const { cache, clock, prime, get, last, minted } = setUp();
      await prime();
      await clock.advance(hour - 30 * second);
      const login = get();
      cache.invalidate((value) => value === "first");
      await clock.advance(2 * second);
      expect(login.token).not.toBe("first");
      last().resolve(minted("second"));
      await login.done;
      expect(login.token).toBe("second");
    });
  });

  describe("whatever the issuer answers", () => {
    test("does not cache a token that had ended on arrival", async () => {
      const { clock, get, asks, last, minted } = setUp();
      const login = get();
      await settle();
      last().resolve(minted("dead", -1));
      await clock.advance(second);
      expect(asks).toHaveLength(2);
      expect(login.settled).toBe(false);
      login.abort(new LakebaseError("ERR_LAKEBASE_TIMEOUT", "x"));
      await login.done;
      expect(login.error).toMatchObject({ message: expect.stringContaining("clocks") });
    });

    test("hands out no token that ended while it was on its way", async () => {
      const { clock, get, last, minted } = setUp();
      const login = get();
      await clock.advance(6 * second);
      last().resolve(minted("dead", 5 * second));
      await settle();
      expect(login.token).toBeUndefined();
      login.abort();
      await login.done;
    });

    test.each([
      ["nothing", undefined],
      ["null", null],
      ["no life", { value: "x", expiresAt: 0 }],
      ["NaN", { value: "x", lifetimeMs: Number.NaN, expiresAt: 0 }],
      ["text", "token"],
    ])("does not cache %s, and lets the caller's patience end it", async (_name, answer) => {
      const { clock, get, last } = setUp();
      const login = get();
      await settle();
      last().resolve(answer as unknown as Minted<string>);
      await clock.advance(10);
      expect(login.token).toBeUndefined();
      login.abort();
      await login.done;
      expect(login.error).toBeDefined();
      await clock.advance(minute);
    });

    test("keeps the old token when the new one is not one", async () => {
      const { clock, prime, get, last } = setUp();
      await prime();
      await clock.advance(41 * minute);
      get();
      await settle();
      last().resolve(undefined as unknown as Minted<string>);
      await settle();
      expect(get().token).toBe("first");
    });

    test("survives an issuer that throws before it answers", async () => {
      const clock = new FakeClock();
      let calls = 0;
      const cache = new TokenCache<string>({
        clock,
        random: () => 0.5,
        label: "token",
        mint: () => {
          calls += 1;
          throw new TypeError("sync");
        },
      });
      const login = caller(cache);
      await clock.advance(second);
      expect(calls).toBeGreaterThan(1);
      login.abort();
      await login.done;
      expect(login.settled).toBe(true);
    });

    test("asks no more than once in a fifth of the life of a short-lived token", async () => {
      const { clock, asks, get, last, minted } = setUp();
      for (let elapsed = 0; elapsed < 100 * second; elapsed += 100) {
        const login = get();
        await settle();
        if (!last().settled) last().resolve(minted(`token ${asks.length}`, 10 * second));
        await settle();
        expect(login.settled).toBe(true);
        await clock.advance(100);
      }
      expect(asks.length).toBeLessThanOrEqual(100 / 2);
    });
  });

  describe("clocks", () => {
    test("a wall clock set back does not keep a dead token", async () => {
      const { clock, prime, get } = setUp();
      await prime();
      await clock.advance(30 * minute);
      clock.setBack(2 * hour);
      await clock.advance(30 * minute);
      const login = get();
      expect(login.settled).toBe(false);
      login.abort();
      await login.done;
    });

    test("a process that was frozen refreshes before it answers", async () => {
      const { clock, prime, get, asks } = setUp();
      await prime();
      clock.sleep(2 * hour);
      const login = get();
      await settle();
      expect(login.settled).toBe(false);
      expect(asks).toHaveLength(2);
      login.abort();
      await login.done;
    });

    test("a wall clock that jumps forward and back costs one refresh", async () => {
      const { clock, prime, get, asks, last, minted } = setUp();
      await prime();
      clock.setForward(2 * hour);
      const login = get();
      await settle();
      last().resolve(minted("second"));
      await login.done;
      clock.setBack(2 * hour);
      for (let elapsed = 0; elapsed < 30; elapsed += 1) {
        expect(get().token).toBe("second");
        await clock.advance(minute);
      }
      expect(asks).toHaveLength(2);
    });
  });

  describe("close", () => {
    test("ends what is under way and refuses what comes after, and may be called twice", async () => {
      const { cache, get, last, asks, minted, events } = setUp({ hostile: true });
      const login = get();
      await settle();
      cache.close();
      cache.close();
      await login.done;
      expect(login.error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
      expect(last().signal.aborted).toBe(true);
      last().resolve(minted("late"));
      await settle();
      expect(get().error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
      expect(cache.snapshot()).toMatchObject({ phase: "none", refreshes: 0 });
      expect(asks).toHaveLength(1);
      expect(events).toEqual([]);
    });

    test("keeps no answer that comes in the same moment", async () => {
      const { cache, get, last, minted, events } = setUp({ hostile: true });
      const login = get();
      await settle();
      cache.close();
      last().resolve(minted("late"));
      await login.done;
      expect(cache.snapshot()).toMatchObject({ phase: "none", refreshes: 0 });
      expect(events).toEqual([]);
    });

    test("ends the wait of those who have a token that is about to end", async () => {
      const { cache, clock, prime, get } = setUp();
      await prime();
      await clock.advance(hour - 30 * second);
      const login = get();
      await settle();
      cache.close();
      await login.done;
      expect(login.error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
      expect(clock.pending()).toBe(0);
    });

    test("ends a pause between two tries", async () => {
      const { cache, clock, get, last } = setUp();
      const login = get();
      await settle();
      last().reject(unavailable(minute));
      await settle();
      cache.close();
      await login.done;
      expect(login.error).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
      expect(clock.pending()).toBe(0);
    });

    test("starts no request when a listener closes it", async () => {
      const clock = new FakeClock();
      let calls = 0;
      const cache: TokenCache<string> = new TokenCache<string>({
        clock,
        random: () => 0.5,
        label: "token",
        onEvent: ({ type }) => {
          if (type === "stale") cache.close();
        },
        mint: async () => {
          calls += 1;
          return { value: "one", lifetimeMs: hour, expiresAt: 0 };
        },
      });
      await caller(cache).done;
      await clock.advance(41 * minute);
      caller(cache);
      await settle();
      expect(calls).toBe(1);
      expect(cache.snapshot().phase).toBe("none");
    });
  });
});

describe("a token cache, whatever happens", () => {
  type Step =
    | { do: "get"; background: boolean }
    | { do: "advance"; ms: number }
    | { do: "shift"; ms: number }
    | { do: "succeed"; lifetimeMs: number }
    | { do: "fail"; how: "retryable" | "hopeless" | "wait" | "junk" }
    | { do: "invalidate"; right: boolean }
    | { do: "abort"; which: number };
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant("get" as const), background: fc.boolean() }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("advance" as const),
        ms: fc.oneof(fc.nat(300), fc.nat(12 * second), fc.nat(25 * minute), fc.nat(2 * hour)),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("shift" as const), ms: fc.integer({ min: -2 * hour, max: 2 * hour }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("succeed" as const),
        lifetimeMs: fc.oneof(fc.integer({ min: 5 * second, max: minute }), fc.constant(hour), fc.constant(-1)),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("fail" as const),
        how: fc.constantFrom("retryable" as const, "hopeless" as const, "wait" as const, "junk" as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("invalidate" as const), right: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("abort" as const), which: fc.nat(30) }) },
  ) satisfies fc.Arbitrary<Step>;

  const retryAfterMs = 7 * second;

  test.each([
    ["obeys its signal", false],
    ["ignores its signal", true],
  ])("keeps its promises with an issuer that %s", async (_name, hostile) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (steps, random) => {
          const { clock, cache, asks, get, minted, last } = setUp({ random, hostile });
          const callers: ReturnType<typeof get>[] = [];
          const ends = new Map<string, { wall: number; monotonic: number }>();
          const seen = new Set<ReturnType<typeof get>>();
          let serial = 0;
          let newest: string | undefined;
          /** No request may begin before this, by what the last failure asked for. */
          let notBefore = Number.NEGATIVE_INFINITY;
          let checked = 0;

          const check = () => {
            expect(asks.filter(({ settled, signal }) => !settled && !signal.aborted).length).toBeLessThanOrEqual(1);
            for (; checked < asks.length; checked += 1) {
              expect(asks[checked]?.at.monotonic).toBeGreaterThanOrEqual(notBefore);
            }
            for (const login of callers) {
              if (!login.settled || seen.has(login)) continue;
              seen.add(login);
              expect(login.token === undefined).toBe(login.error !== undefined);
            }
          };
          /** When a grant settles the clock stands still, so now is when it is used. */
          const checkGrant = (login: ReturnType<typeof get>) => {
            const end = login.token === undefined ? undefined : ends.get(login.token);
            if (!end) return;
            expect(clock.now()).toBeLessThan(end.wall);
            expect(clock.monotonic()).toBeLessThan(end.monotonic);
          };

          for (const action of steps) {
            switch (action.do) {
              case "get": {
                const login = get({ background: action.background });
                callers.push(login);
                if (login.settled) checkGrant(login);
                else
                  void login.done
                    .then(() => checkGrant(login))
                    .catch((error) => Object.assign(login, { broken: error }));
                break;
              }
              case "advance":
                await clock.advance(action.ms);
                break;
              case "shift":
                if (action.ms < 0) clock.setBack(-action.ms);
                else clock.setForward(action.ms);
                break;
              case "succeed": {
                const ask = asks.length > 0 ? last() : undefined;
                if (!ask || ask.settled || ask.signal.aborted) break;
                const value = `token ${++serial}`;
                const { lifetimeMs } = action;
                ends.set(value, { wall: ask.at.wall + lifetimeMs, monotonic: ask.at.monotonic + lifetimeMs });
                const alive =
                  clock.now() < ask.at.wall + lifetimeMs && clock.monotonic() < ask.at.monotonic + lifetimeMs;
                ask.resolve(minted(value, lifetimeMs));
                await settle();
                if (alive) {
                  newest = value;
                  notBefore = Number.NEGATIVE_INFINITY;
                  expect(cache.snapshot()).toMatchObject({ failures: 0, lastErrorCode: undefined });
                }
                break;
              }
              case "fail": {
                const ask = asks.length > 0 ? last() : undefined;
                if (!ask || ask.settled || ask.signal.aborted) break;
                const failures = cache.snapshot().failures;
                const now = clock.monotonic();
                if (action.how === "retryable") ask.reject(unavailable());
                else if (action.how === "hopeless") ask.reject(denied());
                else if (action.how === "wait") ask.reject(unavailable(retryAfterMs));
                else ask.reject("junk");
                notBefore = now + { retryable: 25, junk: 25, hopeless: 5 * second, wait: retryAfterMs }[action.how];
                await settle();
                expect(cache.snapshot().failures).toBe(failures + 1);
                break;
              }
              case "invalidate": {
                const held = cache.holds((value) => value === newest);
                expect(cache.invalidate((value) => (action.right ? value === newest : false))).toBe(
                  action.right && held,
                );
                break;
              }
              case "abort":
                callers[action.which % Math.max(1, callers.length)]?.abort();
                break;
            }
            await settle();
            check();
          }

          for (const login of callers.slice(0, callers.length / 2)) login.abort();
          await settle();
          expect(callers.slice(0, callers.length / 2).every(({ settled }) => settled)).toBe(true);
          cache.close();
          await settle();
          expect(callers.every(({ settled }) => settled)).toBe(true);
          expect(callers.filter((login) => "broken" in login)).toEqual([]);
          expect(asks.every(({ settled, signal }) => settled || signal.aborted)).toBe(true);
          expect(clock.pending()).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});
