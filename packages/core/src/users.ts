import { resolveConfig } from "./config.ts";
import type { Lakebase } from "./lakebase.ts";
import type { LakebaseOptions } from "./options.ts";
import type { Secret } from "./secret.ts";
import type { LakebaseUsersHealth, People } from "./users/people.ts";

/**
 * Options of {@link createLakebaseUsers}: those of `createLakebase`, but for the three that say who logs in. Where
 * `workspaceHost` and `workspaceCa` are left out they come from the environment; nothing else about an identity does.
 */
export interface LakebaseUsersOptions<T = unknown> extends Omit<LakebaseOptions, "auth" | "user" | "password"> {
  auth?: never;
  user?: never;
  password?: never;
  /** How many users may have something open at a time. Default 200. */
  maxUsers?: number | undefined;
  /** After how long without use what a user has open is ended. Seconds, default 300. */
  idleSeconds?: number | undefined;
  /** How long what `for()` has answered is certainly not ended. Seconds, default 30. */
  holdSeconds?: number | undefined;
  /**
   * Ends what `open` has made, after its queries. Default: the first of its `end()`, `destroy()`, `close()`, `$disconnect()`
   * and `[Symbol.asyncDispose]()`, or of those of its `$client`.
   */
  close?: ((opened: T) => void | Promise<void>) | undefined;
}

/** Whose request it is. */
export interface UserRequest {
  /**
   * The user's own workspace token; in Databricks Apps the request's header `x-forwarded-access-token`. A header that is
   * missing or came twice is an error.
   */
  accessToken: string | readonly string[] | Secret | undefined;
}

/** What {@link createLakebaseUsers} makes. */
export interface LakebaseUsers<T> extends AsyncDisposable {
  /**
   * What `open` has made for the user who bears this token. It is certainly there for `holdSeconds`; take it anew for every
   * request, and do not end it.
   *
   * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when there is no token, `ERR_LAKEBASE_UNAUTHENTICATED` when the workspace
   * refuses it, `ERR_LAKEBASE_TOO_MANY_USERS` when there is no place; and whatever `open` throws.
   */
  for(request: UserRequest): Promise<T>;
  /** The same for as long as `run` takes: until it is done, nothing that it was given is ended. */
  use<R>(request: UserRequest, run: (opened: T) => R | Promise<R>): Promise<R>;
  /** What is open, without asking anybody. */
  health(): LakebaseUsersHealth;
  /**
   * Refuses new requests, waits for every `use()`, and ends everything. Safe to call twice.
   * @throws AggregateError of what could not be ended, after everything else was.
   */
  close(): Promise<void>;
}

/**
 * One handle, and whatever you open on it, for each user of your application: Postgres sees the user and not the service, so
 * that row-level security by `current_user` holds. Who a user is, the workspace says, asked with the user's own token; no
 * header and no claim is believed. Bounded by `maxUsers`, swept after `idleSeconds`.
 *
 * @param open Makes the user's own pool on the handle. Keep it small: there are up to `maxUsers` of them.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when options are contradictory or malformed, or name one person for all.
 * @example
 * ```ts
 * import { createLakebaseUsers } from "@x/lakebase-core";
 * import { lakebasePool } from "@x/lakebase-core/pg";
 *
 * const users = createLakebaseUsers({ maxUsers: 100 }, (lakebase) => lakebasePool({ lakebase, max: 2 }));
 *
 * export async function orders(headers: Record<string, string | undefined>) {
 *   const pool = await users.for({ accessToken: headers["x-forwarded-access-token"] });
 *   return (await pool.query("select * from orders")).rows;
 * }
 * ```
 */
export function createLakebaseUsers<T>(
  options: LakebaseUsersOptions<T>,
  open: (handle: Lakebase) => T | Promise<T>,
): LakebaseUsers<T> {
  const {
    maxUsers = 200,
    idleSeconds = 300,
    holdSeconds = 30,
    close,
    ...own
  } = Object(options) as LakebaseUsersOptions<T>;
  const config = resolveConfig(own, (reader) => {
    reader.wholeNumber("maxUsers", maxUsers, 1, 10_000);
    reader.wholeNumber("idleSeconds", idleSeconds, 1, 86_400);
    reader.wholeNumber("holdSeconds", holdSeconds, 0, 86_400);
    reader.function("open", open ?? null);
    reader.function("close", close);
  });
  let people: People<T> | undefined;
  let loading: Promise<People<T>> | undefined;
  const load = () => {
    loading ??= import("./users/people.ts").then((module) => {
      people = new module.People<T>({ config, open, close, maxUsers, idleSeconds, holdSeconds });
      return people;
    });
    return loading;
  };
  const end = async () => (await load()).close();
  return {
    for: async (request) => (await load()).for(request),
    use: async (request, run) => (await load()).use(request, run),
    health: () =>
      people?.health() ?? {
        status: "open",
        users: 0,
        maxUsers,
        inUse: 0,
        ending: 0,
        waiting: 0,
        handles: {},
        counts: { opened: 0, ended: 0, endFailures: 0, refused: 0 },
      },
    close: end,
    [Symbol.asyncDispose]: end,
  };
}
