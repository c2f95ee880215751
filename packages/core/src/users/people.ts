import { setMaxListeners } from "node:events";
import { completeClock, type FullClock } from "../clock.ts";
import type { ResolvedConfig } from "../config.ts";
import { withDeadline } from "../deadline.ts";
import { configError, LakebaseError } from "../errors.ts";
import type { LakebaseHealth } from "../handle.ts";
import { isTokenText } from "../identity/token-answer.ts";
import { createHandleOf, internalsOf, type Lakebase } from "../lakebase.ts";
import { createSecret, isSecret, type Secret } from "../secret.ts";
import { closerOf } from "./closing.ts";
import { explainRefusal } from "./missing-role.ts";
import { Places } from "./places.ts";
import { Proofs, type ProvedToken, proofMs } from "./proofs.ts";
import { ProvedTokens } from "./proved-tokens.ts";

/** What all users have in common. */
export interface PeopleSettings<T> {
  readonly config: ResolvedConfig;
  readonly open: (handle: Lakebase) => T | Promise<T>;
  readonly close: ((opened: T) => void | Promise<void>) | undefined;
  readonly maxUsers: number;
  readonly idleSeconds: number;
  readonly holdSeconds: number;
}

/** A look at all users. Holds no secret and no name; meant for a health endpoint. */
export interface LakebaseUsersHealth {
  readonly status: "open" | "closed";
  /** Users with something open, or about to be. Never more than `maxUsers`, together with those that are being ended. */
  readonly users: number;
  readonly maxUsers: number;
  /** Of them, those that nothing may end now: in use, or handed out less than `holdSeconds` ago. */
  readonly inUse: number;
  /** What is being ended, and waits for its queries. */
  readonly ending: number;
  /** Users who wait for a place. */
  readonly waiting: number;
  /** How many of the handles are in each state; states that none is in are left out. */
  readonly handles: Readonly<Partial<Record<LakebaseHealth["status"], number>>>;
  readonly counts: {
    readonly opened: number;
    readonly ended: number;
    /** Ends that failed: what they were to end may still be there. */
    readonly endFailures: number;
    /** Access tokens that the workspace has refused. */
    readonly refused: number;
  };
}

/** One user's handle, and what was opened on it. */
interface Seat<T> {
  readonly user: string;
  readonly tokens: ProvedTokens;
  handle: Lakebase | undefined;
  opening: Promise<T>;
  end: (() => void | Promise<void>) | undefined;
  /** Calls of `use()` that run, and calls that wait for the opening. */
  uses: number;
  usedAt: number;
  heldUntil: number;
}

/** An end that has lasted this long may last for ever: others are asked to make room. */
const patienceMs = 1000;
const shortestPauseMs = 10;

/** The working half of `createLakebaseUsers`, loaded with the first user. */
export class People<T> {
  readonly #settings: PeopleSettings<T>;
  readonly #clock: FullClock;
  readonly #proofs: Proofs;
  readonly #places: Places;
  readonly #closing = new AbortController();
  /** By the name that the workspace knows the user by, least recently used first. */
  readonly #seats = new Map<string, Seat<T>>();
  /** Whose each thing is that was opened. */
  readonly #owners = new WeakMap<object, string>();
  /** What is being ended, and since when. */
  readonly #endings = new Map<symbol, number>();
  /** Of `close()` itself, which tells them. */
  readonly #failures: unknown[] = [];
  #endFailures = 0;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  readonly #onLeft = new Set<() => void>();
  #closed: Promise<void> | undefined;
  #opened = 0;
  #ended = 0;
  #refused = 0;

  constructor(settings: PeopleSettings<T>) {
    this.#settings = settings;
    this.#clock = completeClock(settings.config.clock);
    // Every call listens to it.
    setMaxListeners(0, this.#closing.signal);
    this.#places = new Places(settings.maxUsers);
    this.#proofs = new Proofs({
      clock: this.#clock,
      most: Math.max(1000, 4 * settings.maxUsers),
      ask: (token, signal) => this.#whoBears(token, signal),
    });
  }

  async for(request: { accessToken: unknown }): Promise<T> {
    const seat = await this.#seatFor(request);
    try {
      const opened = await seat.opening;
      this.#throwIfClosed();
      seat.heldUntil = this.#now() + 1000 * this.#settings.holdSeconds;
      return opened;
    } finally {
      this.#leave(seat);
    }
  }

  async use<R>(request: { accessToken: unknown }, run: (opened: T) => R | Promise<R>): Promise<R> {
    const seat = await this.#seatFor(request);
    try {
      const opened = await seat.opening;
      this.#throwIfClosed();
      return await run(opened);
    } finally {
      this.#leave(seat);
    }
  }

  health(): LakebaseUsersHealth {
    const handles: Partial<Record<LakebaseHealth["status"], number>> = {};
    const seats = [...this.#seats.values()];
    for (const { handle } of seats) {
      const { status = "new" } = handle?.health() ?? {};
      handles[status] = (handles[status] ?? 0) + 1;
    }
    return {
      status: this.#closed ? "closed" : "open",
      users: seats.length - this.#places.waiting,
      maxUsers: this.#settings.maxUsers,
      inUse: seats.filter((seat) => !this.#canEnd(seat)).length - this.#places.waiting,
      ending: this.#endings.size,
      waiting: this.#places.waiting,
      handles,
      counts: {
        opened: this.#opened,
        ended: this.#ended,
        endFailures: this.#endFailures,
        refused: this.#refused,
      },
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(closedError());
    this.#timer?.cancel();
    this.#proofs.close();
    for (const seat of [...this.#seats.values()]) if (seat.uses === 0) this.#end(seat);
    // Those in use follow when they are given back.
    while (this.#seats.size + this.#endings.size > 0) await new Promise<void>((resolve) => this.#onLeft.add(resolve));
    if (this.#failures.length > 0)
      throw new AggregateError(this.#failures, "some of what was opened for users could not be ended");
  }

  /** The seat of the one who bears the token, counted as in use. */
  async #seatFor(request: { accessToken: unknown }): Promise<Seat<T>> {
    this.#throwIfClosed();
    const proved = await this.#prove(readToken(request));
    this.#throwIfClosed();
    this.#sweep();
    const { user } = proved;
    const seat = this.#seats.get(user) ?? this.#newSeat(user);
    seat.uses += 1;
    this.#touch(seat);
    // What an older token was refused says nothing about a newer one.
    if (seat.tokens.offer(proved) && seat.handle) internalsOf(seat.handle).renew();
    return seat;
  }

  async #prove(token: Secret): Promise<ProvedToken> {
    const timeoutMs = this.#timeoutMs;
    const expired = () =>
      new LakebaseError(
        "ERR_LAKEBASE_TIMEOUT",
        `the workspace was asked whose an access token is, and gave no answer within ${timeoutMs} ms (connectTimeoutMs)`,
        { retryable: true },
      );
    try {
      return await withDeadline({ clock: this.#clock, timeoutMs, signal: this.#closing.signal, expired }, (within) =>
        this.#proofs.prove(token, within),
      );
    } catch (error) {
      if (error instanceof LakebaseError && error.code === "ERR_LAKEBASE_UNAUTHENTICATED") this.#refused += 1;
      throw error;
    } finally {
      this.#lookAgain();
    }
  }

  /** Asks the workspace, over the same way as everything else, with this token and no other. */
  async #whoBears(token: Secret, signal: AbortSignal): Promise<string> {
    const handle = createHandleOf(this.#settings.config, {
      kind: "on-behalf-of-user",
      getToken: async () => ({ token }),
    });
    try {
      return await internalsOf(handle).whoAmI(signal);
    } finally {
      await handle.close();
    }
  }

  #newSeat(user: string): Seat<T> {
    const seat: Seat<T> = {
      user,
      tokens: new ProvedTokens(user, (key) => this.#proofs.forget(key)),
      handle: undefined,
      opening: Promise.resolve() as Promise<never>,
      end: undefined,
      uses: 0,
      usedAt: 0,
      heldUntil: 0,
    };
    seat.opening = this.#open(seat);
    // Each of those who wait for it hears of a failure; it is nobody else's.
    seat.opening.catch(() => {});
    return seat;
  }

  async #open(seat: Seat<T>): Promise<T> {
    const { config, open, close } = this.#settings;
    try {
      this.#seats.set(seat.user, seat);
      await this.#findPlace();
    } catch (error) {
      this.#forget(seat);
      throw error;
    }
    try {
      seat.handle = createHandleOf(config, seat.tokens, (error) => explainRefusal(seat.user, error));
      const opened = await open(seat.handle);
      this.#claim(opened, seat.user);
      seat.end = close ? () => close(opened) : closerOf(opened);
      if (!seat.end) throw configError([endless]);
      this.#opened += 1;
      return opened;
    } catch (error) {
      await seat.handle?.close();
      this.#places.leave();
      this.#forget(seat);
      throw error;
    }
  }

  /** One pool for several users would be one person to Postgres. @throws LakebaseError `ERR_LAKEBASE_CONFIG` */
  #claim(opened: unknown, user: string): void {
    const one = Object(opened);
    if ((this.#owners.get(one) ?? user) !== user) throw configError([notOwn]);
    this.#owners.set(one, user);
  }

  /** @throws LakebaseError `ERR_LAKEBASE_TOO_MANY_USERS` when nobody leaves in time. */
  async #findPlace(): Promise<void> {
    const { maxUsers } = this.#settings;
    const timeoutMs = this.#timeoutMs;
    const expired = () =>
      new LakebaseError(
        "ERR_LAKEBASE_TOO_MANY_USERS",
        `all ${maxUsers} users (maxUsers) were in use or handed out a moment ago, and none could be ended within ${timeoutMs} ms (connectTimeoutMs)`,
        { retryable: true },
      );
    await withDeadline({ clock: this.#clock, timeoutMs, signal: this.#closing.signal, expired }, (within) => {
      const entered = this.#places.enter(within);
      this.#relieve();
      return entered;
    });
  }

  #leave(seat: Seat<T>): void {
    seat.uses -= 1;
    if (this.#seats.get(seat.user) !== seat) return;
    this.#touch(seat);
    if (this.#closed) {
      if (seat.uses === 0) this.#end(seat);
    } else this.#relieve();
  }

  #touch(seat: Seat<T>): void {
    seat.usedAt = this.#now();
    this.#seats.delete(seat.user);
    this.#seats.set(seat.user, seat);
  }

  #canEnd({ uses, heldUntil, end }: Seat<T>): boolean {
    return end !== undefined && uses === 0 && heldUntil <= this.#now();
  }

  /** Ends who has not been here for long. */
  #sweep(): void {
    const since = this.#now() - 1000 * this.#settings.idleSeconds;
    for (const seat of [...this.#seats.values()]) {
      if (seat.usedAt > since) break;
      if (this.#canEnd(seat)) this.#end(seat);
    }
  }

  #relieve(): void {
    if (this.#places.waiting > 0) this.#makeRoom();
    this.#lookAgain();
  }

  /** Ends as many as others wait for, the least recently used first. */
  #makeRoom(): void {
    const now = this.#now();
    const hopeful = [...this.#endings.values()].filter((begunAt) => now - begunAt < patienceMs).length;
    let wanted = this.#places.waiting - hopeful;
    for (const seat of [...this.#seats.values()]) {
      if (wanted <= 0) break;
      if (!this.#canEnd(seat)) continue;
      this.#end(seat);
      wanted -= 1;
    }
  }

  /** A timer that holds no process: with use alone, the last users' sessions and tokens would stay for ever. */
  #lookAgain(): void {
    if (this.#closed) return;
    const now = this.#now();
    const [first] = this.#seats.values();
    let at = this.#proofs.size > 0 ? now + proofMs : Number.POSITIVE_INFINITY;
    if (first) at = Math.min(at, first.usedAt + 1000 * this.#settings.idleSeconds);
    if (this.#places.waiting > 0) {
      const held = [...this.#seats.values()].map(({ heldUntil }) => heldUntil).filter((until) => until > now);
      at = Math.min(now + patienceMs, ...held);
    }
    // One that comes too early looks, and finds out when to look again.
    if (at === Number.POSITIVE_INFINITY || (this.#timer && this.#timer.at <= at && this.#timer.at >= now)) return;
    this.#timer?.cancel();
    const run = () => {
      this.#timer = undefined;
      this.#sweep();
      this.#proofs.sweep();
      this.#relieve();
    };
    this.#timer = { at, cancel: this.#clock.after(Math.max(at - now, shortestPauseMs), run, false) };
  }

  /** The place is free only when the end is over: until then there may be sessions. */
  #end(seat: Seat<T>): void {
    this.#seats.delete(seat.user);
    const ending = Symbol();
    this.#endings.set(ending, this.#now());
    void this.#finish(seat).then(() => {
      this.#ended += 1;
      this.#endings.delete(ending);
      this.#places.leave();
      this.#tellLeft();
    });
  }

  async #finish({ end, handle }: Seat<T>): Promise<void> {
    try {
      await end?.();
    } catch (error) {
      this.#endFailures += 1;
      if (this.#closing.signal.aborted) this.#failures.push(error);
    }
    await handle?.close();
  }

  #forget(seat: Seat<T>): void {
    if (this.#seats.get(seat.user) === seat) this.#seats.delete(seat.user);
    this.#tellLeft();
  }

  #tellLeft(): void {
    for (const tell of this.#onLeft) tell();
    this.#onLeft.clear();
  }

  get #timeoutMs(): number {
    return this.#settings.config.scope.connectTimeoutMs;
  }

  #now(): number {
    return this.#clock.monotonic();
  }

  #throwIfClosed(): void {
    if (this.#closed) throw closedError();
  }
}

const endless = {
  option: "open",
  message:
    "answered something that has none of end(), destroy(), close(), $disconnect() and [Symbol.asyncDispose](): give `close`, which is handed it and ends it",
};

const notOwn = {
  option: "open",
  message:
    "answered what it has opened for somebody else; it must make something new for each user, on the handle that it is given",
};

function closedError(): LakebaseError {
  return new LakebaseError("ERR_LAKEBASE_CLOSED", "what createLakebaseUsers() made is closed");
}

/** @throws LakebaseError `ERR_LAKEBASE_CONFIG` for what can be no token, so that a missing header is not taken for a sign-in. */
function readToken(request: { accessToken: unknown }): Secret {
  const { accessToken } = Object(request) as { accessToken?: unknown };
  const text = isSecret(accessToken) ? accessToken.reveal() : accessToken;
  if (isTokenText(text)) return createSecret(text);
  const found =
    text === undefined
      ? "is missing"
      : typeof text !== "string"
        ? `is ${Array.isArray(text) ? "a list" : typeof text}, not a string`
        : text === ""
          ? "is empty"
          : "is not a token: nothing but printable characters without spaces, and no `Bearer` before it";
  throw configError([
    {
      option: "accessToken",
      message: `${found}. In Databricks Apps it is the request's header \`x-forwarded-access-token\`, which is there when the app has user authorization; without it there is no user to act for`,
    },
  ]);
}
