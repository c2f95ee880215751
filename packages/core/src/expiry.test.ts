import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  backoffMs,
  type Instant,
  lifetimeFrom,
  maxLifetimeMs,
  maxRetryAfterMs,
  parseRetryAfter,
  phaseOf,
  planExpiry,
  remainingMs,
  unknownLifetimeMs,
} from "./expiry.ts";

const minute = 60_000;
const hour = 60 * minute;
const start: Instant = { wall: Date.UTC(2026, 0, 1), monotonic: 5000 };
const later = (ms: number): Instant => ({ wall: start.wall + ms, monotonic: start.monotonic + ms });

const life = fc.integer({ min: 1, max: maxLifetimeMs });
const unit = fc.double({ min: 0, max: 1, noNaN: true });
const order = ["fresh", "stale", "closing", "expired"] as const;

describe("planExpiry", () => {
  test("gives a token of one hour 20 minutes of refresh ahead and 72 seconds of margin", () => {
    const plan = planExpiry(start, hour, 0);
    expect(plan.softAgeMs).toBe(40 * minute);
    expect(plan.hardAgeMs).toBe(hour - 72_000);
  });

  test("moves the refresh of a token of one hour earlier by at most two minutes", () => {
    expect(planExpiry(start, hour, 1).softAgeMs).toBeCloseTo(38 * minute, 5);
  });

  test("gives a token of five minutes margins of its own scale", () => {
    const plan = planExpiry(start, 5 * minute, 0);
    expect(plan.softAgeMs).toBe(2.5 * minute);
    expect(plan.hardAgeMs).toBe(4.5 * minute);
  });

  test("lets the margin of a token of 40 seconds take no more than a quarter of its life", () => {
    expect(planExpiry(start, 40_000, 0)).toMatchObject({ softAgeMs: 20_000, hardAgeMs: 30_000 });
  });

  test("leaves what does not end fresh for ever", () => {
    const plan = planExpiry(start, Number.POSITIVE_INFINITY, 0.5);
    expect(phaseOf(plan, later(10 * 365 * 24 * hour))).toBe("fresh");
  });

  test("never asks for a busy loop: a token is fresh for at least 45 % of its life", () => {
    fc.assert(
      fc.property(life, unit, (lifetimeMs, jitter) => {
        const { softAgeMs } = planExpiry(start, lifetimeMs, jitter);
        expect(softAgeMs).toBeGreaterThanOrEqual(0.45 * lifetimeMs - 1e-6);
        expect(softAgeMs).toBeLessThan(lifetimeMs);
      }),
    );
  });

  test("never lets a token be about to end before its refresh is due", () => {
    fc.assert(
      fc.property(life, unit, (lifetimeMs, jitter) => {
        const { softAgeMs, hardAgeMs } = planExpiry(start, lifetimeMs, jitter);
        expect(softAgeMs).toBeLessThanOrEqual(hardAgeMs);
        expect(hardAgeMs).toBeLessThan(lifetimeMs);
      }),
      { examples: [[maxLifetimeMs, 0]] },
    );
  });
});

describe("phaseOf", () => {
  test("only ever goes forward while time does", () => {
    fc.assert(
      fc.property(
        life,
        unit,
        fc.array(fc.record({ wall: fc.nat(maxLifetimeMs), monotonic: fc.nat(maxLifetimeMs) }), { maxLength: 20 }),
        (lifetimeMs, jitter, steps) => {
          const plan = planExpiry(start, lifetimeMs, jitter);
          let now = start;
          let last = 0;
          for (const { wall, monotonic } of steps) {
            now = { wall: now.wall + wall, monotonic: now.monotonic + monotonic };
            const phase = order.indexOf(phaseOf(plan, now));
            expect(phase).toBeGreaterThanOrEqual(last);
            last = phase;
          }
        },
      ),
    );
  });

  test("calls a token expired exactly when it is past its life on either clock", () => {
    const drift = fc.integer({ min: -2 * maxLifetimeMs, max: 2 * maxLifetimeMs });
    fc.assert(
      fc.property(life, unit, drift, drift, (lifetimeMs, jitter, wall, monotonic) => {
        const plan = planExpiry(start, lifetimeMs, jitter);
        const now = { wall: start.wall + wall, monotonic: start.monotonic + monotonic };
        const over = wall >= lifetimeMs || monotonic >= lifetimeMs;
        expect(phaseOf(plan, now) === "expired").toBe(over);
        expect(remainingMs(plan, now) <= 0).toBe(over);
      }),
    );
  });

  test("does not freeze the refresh when the wall clock is set back an hour", () => {
    const plan = planExpiry(start, hour, 0);
    const now = { wall: start.wall - hour + 50 * minute, monotonic: start.monotonic + 50 * minute };
    expect(phaseOf(plan, now)).toBe("stale");
  });

  test("counts a sleep that the monotonic clock has left out", () => {
    const plan = planExpiry(start, hour, 0);
    expect(phaseOf(plan, { wall: start.wall + 2 * hour, monotonic: start.monotonic + 1 })).toBe("expired");
  });

  test("scales: the same share of a shorter life is the same phase, up to the fixed margins", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 40 * minute }), unit, unit, (lifetimeMs, jitter, share) => {
        const ageMs = share * lifetimeMs;
        const phase = phaseOf(planExpiry(start, lifetimeMs, jitter), later(ageMs));
        const margin = Math.min(Math.max(30_000, lifetimeMs * 0.02), lifetimeMs / 4);
        if (ageMs < 0.45 * lifetimeMs - 1) expect(phase).toBe("fresh");
        if (ageMs > 0.5 * lifetimeMs + 1) expect(phase).not.toBe("fresh");
        if (ageMs > lifetimeMs - margin + 1) expect(phase).not.toBe("stale");
      }),
    );
  });
});

describe("lifetimeFrom", () => {
  const wall = start.wall;

  test.each([
    ["nothing", undefined],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
  ])("takes five minutes when the expiry is %s", (_name, expiresAt) => {
    expect(lifetimeFrom(expiresAt, wall, wall)).toBe(unknownLifetimeMs);
  });

  test.each([
    ["agrees", wall, hour],
    ["is not told", undefined, hour],
    ["is a second ahead", wall + 1000, hour],
    ["is five minutes ahead of ours", wall + 5 * minute, 55 * minute - 1000],
    ["is five minutes behind ours", wall - 5 * minute, 65 * minute - 1000],
  ])("counts from the issuer's clock when it %s", (_name, serverNow, expected) => {
    expect(lifetimeFrom(wall + hour, wall, serverNow)).toBe(expected);
  });

  test("believes no expiry in the year 9999", () => {
    expect(lifetimeFrom(Date.UTC(9999, 0, 1), wall, wall)).toBe(maxLifetimeMs);
  });

  test("tells that a token has ended on arrival", () => {
    expect(lifetimeFrom(0, wall, wall)).toBeLessThanOrEqual(0);
    expect(lifetimeFrom(wall - 1, wall, wall)).toBeLessThanOrEqual(0);
  });

  test("never lets a token outlive its end on the issuer's clock, whatever ours says", () => {
    const skew = fc.integer({ min: -12 * hour, max: 12 * hour });
    const truncated = fc.boolean();
    fc.assert(
      fc.property(skew, fc.integer({ min: 3000, max: hour }), truncated, (skewMs, ttlMs, wholeSeconds) => {
        const trueNow = wall + skewMs;
        const header = wholeSeconds ? Math.floor(trueNow / 1000) * 1000 : trueNow;
        const lived = lifetimeFrom(trueNow + ttlMs, wall, header);
        // Within the tolerance the two clocks count as one, which may cost as much.
        const slack = Math.abs(header - wall) <= 2000 ? 3000 : 0;
        expect(lived).toBeLessThanOrEqual(ttlMs + slack);
        expect(lived).toBeGreaterThanOrEqual(ttlMs - 1000 - slack);
      }),
    );
  });
});

describe("backoffMs", () => {
  test("stays between a tenth of the ceiling and the ceiling, which doubles up to the cap", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), unit, (failures, random) => {
        const ceiling = Math.min(60_000, 1000 * 2 ** Math.min(failures - 1, 30));
        const delay = backoffMs(failures, 1000, 60_000, random);
        expect(delay).toBeGreaterThanOrEqual(ceiling * 0.1);
        expect(delay).toBeLessThanOrEqual(ceiling);
      }),
    );
  });
});

describe("parseRetryAfter", () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);

  test.each([
    ["seconds", "7", 7000],
    ["part of a second", "0.5", 500],
    ["nothing to wait", "0", 0],
    ["spaces round it", "  7 ", 7000],
    ["an HTTP date", "Thu, 01 Jan 2026 12:00:30 GMT", 30_000],
    ["an HTTP date that is past", "Thu, 01 Jan 2026 11:00:00 GMT", 0],
    ["a billion seconds", "1000000000", maxRetryAfterMs],
    ["more digits than a number holds", "9".repeat(400), maxRetryAfterMs],
    ["a date in the year 9999", "Fri, 31 Dec 9999 23:59:59 GMT", maxRetryAfterMs],
    ["nothing", "", undefined],
    ["spaces only", "  ", undefined],
    ["no header", undefined, undefined],
    ["words", "soon", undefined],
    ["an exponent", "1e9", undefined],
    ["a negative number", "-5", undefined],
    ["infinity", "Infinity", undefined],
    ["hexadecimal", "0x10", undefined],
  ])("reads %s", (_name, header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });

  test("answers nothing, or a pause from zero to its cap, for whatever a server writes", () => {
    const header = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.date().map(String), fc.double().map(String));
    fc.assert(
      fc.property(header, fc.integer({ min: 0, max: Date.UTC(9999, 0, 1) }), (text, serverNow) => {
        const delay = parseRetryAfter(text, serverNow);
        if (delay === undefined) return;
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(maxRetryAfterMs);
      }),
    );
  });

  test("obeys every number of seconds up to the cap", () => {
    fc.assert(
      fc.property(fc.nat(), (seconds) => {
        expect(parseRetryAfter(String(seconds), now)).toBe(Math.min(seconds * 1000, maxRetryAfterMs));
      }),
    );
  });
});
