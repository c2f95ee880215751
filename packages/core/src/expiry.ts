/** A moment on both clocks, in milliseconds. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

/** When a token stops being fresh, usable without asking, and valid. All as an age on either clock. */
export interface ExpiryPlan {
  readonly requestedAt: Instant;
  readonly lifetimeMs: number;
  /** From this age on the token is refreshed behind the callers' backs. */
  readonly softAgeMs: number;
  /** From this age on callers wait a moment for the refresh. */
  readonly hardAgeMs: number;
}

export type TokenPhase = "fresh" | "stale" | "closing" | "expired";

const minute = 60_000;

/** A token whose expiry is not told is used this long. */
export const unknownLifetimeMs = 5 * minute;
/** No token is trusted for longer, whatever its expiry says. Databricks' database tokens live an hour. */
export const maxLifetimeMs = 24 * 60 * minute;
/** Clocks this close together count as one; an HTTP `Date` header has whole seconds only. */
const clockToleranceMs = 2000;

/**
 * Margins scale with the token's life: `soft = exp - min(life/2, 20 min)`, `hard = exp - min(max(30 s, 2 % of life),
 * life/4)`. The 20 minutes are those of Databricks' own SDKs.
 *
 * @param jitter 0 to 1, one number a process: moves `soft` earlier by up to 10 % of its margin, so that many processes
 *   started together do not refresh together.
 */
export function planExpiry(requestedAt: Instant, lifetimeMs: number, jitter: number): ExpiryPlan {
  const softMargin = Math.min(lifetimeMs / 2, 20 * minute);
  const hardMargin = Math.min(Math.max(30_000, lifetimeMs * 0.02), lifetimeMs / 4, softMargin / 2);
  return {
    requestedAt,
    lifetimeMs,
    softAgeMs: lifetimeMs - softMargin * (1 + 0.1 * jitter),
    hardAgeMs: lifetimeMs - hardMargin,
  };
}

/**
 * The age by whichever clock has run further. The wall clock counts a laptop's sleep, which the monotonic one may leave
 * out; the monotonic one still counts when somebody sets the wall clock back.
 */
function ageOf(plan: ExpiryPlan, now: Instant): number {
  return Math.max(now.wall - plan.requestedAt.wall, now.monotonic - plan.requestedAt.monotonic);
}

export function phaseOf(plan: ExpiryPlan, now: Instant): TokenPhase {
  const age = ageOf(plan, now);
  // Written so that a life which is no number is over.
  if (!(age < plan.lifetimeMs)) return "expired";
  if (age >= plan.hardAgeMs) return "closing";
  return age >= plan.softAgeMs ? "stale" : "fresh";
}

export function remainingMs(plan: ExpiryPlan, now: Instant): number {
  return plan.lifetimeMs - ageOf(plan, now);
}

/**
 * How long a token lives, from what its issuer said. The issuer's own clock is taken from the HTTP `Date` header, so that
 * a local clock that is minutes wrong neither throws a good token away nor keeps a dead one.
 *
 * @param expiresAt Wall-clock milliseconds, or `undefined` (or NaN) when the answer did not tell.
 * @param serverNow The `Date` header, or `undefined`.
 */
export function lifetimeFrom(
  expiresAt: number | undefined,
  requestedAtWall: number,
  serverNow: number | undefined,
): number {
  if (expiresAt === undefined || !Number.isFinite(expiresAt)) return unknownLifetimeMs;
  const inStep = serverNow === undefined || Math.abs(serverNow - requestedAtWall) <= clockToleranceMs;
  // The header may be up to a second behind, which would make the token look longer-lived than it is.
  const issuedAt = inStep ? requestedAtWall : serverNow + 1000;
  return Math.min(expiresAt - issuedAt, maxLifetimeMs);
}

/** Exponential backoff with full jitter: anything up to `min(cap, base * 2^(failures - 1))`, but never nothing. */
export function backoffMs(failures: number, baseMs: number, capMs: number, random: number): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return ceiling * (0.1 + 0.9 * random);
}

/** Reads the date of an HTTP header. `Date.parse` alone would take any digit for a year. */
export function parseHttpDate(text: string | undefined): number | undefined {
  const isDate = text !== undefined && /^[A-Z][a-z]+, \d|^[A-Z][a-z]{2} [A-Z]/.test(text);
  const date = isDate ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : date;
}

/**
 * Reads `Retry-After` (seconds or an HTTP date), capped: a server that says "a billion seconds" is not believed.
 *
 * @param serverNow What the date is measured against.
 */
export function parseRetryAfter(header: string | undefined, serverNow: number): number | undefined {
  if (header === undefined || header.trim() === "") return undefined;
  const text = header.trim();
  const delay = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : (parseHttpDate(text) ?? Number.NaN) - serverNow;
  if (Number.isNaN(delay)) return undefined;
  return Math.min(Math.max(delay, 0), maxRetryAfterMs);
}

/** The longest that one `Retry-After` is obeyed: the total retry budget of Databricks' own SDKs. */
export const maxRetryAfterMs = 5 * minute;
