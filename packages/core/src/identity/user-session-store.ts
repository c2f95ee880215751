import { errorCode } from "../error-chain.ts";
import { LakebaseError } from "../errors.ts";
import { createSecret, type Secret } from "../secret.ts";
import { isTokenText } from "./token-answer.ts";

/**
 * What a store keeps for one person: plain JSON. Whoever reads it can act as that person until they sign out: encrypt it where
 * others can read the store, and keep it out of logs.
 */
export interface StoredSession {
  /** Of this layout. */
  readonly version: 1;
  readonly workspaceHost: string;
  readonly clientId: string;
  /** Who signed in, by the workspace's word: an e-mail. Absent where the scopes do not let it be asked. */
  readonly user?: string;
  /** Of a host that several workspaces share. */
  readonly workspaceId?: string;
  /** Differs with every time that somebody signs in. */
  readonly signIn: string;
  readonly accessToken: string;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Good for one use: the next one comes with its answer. Absent without the scope `offline_access`. */
  readonly refreshToken?: string;
}

/**
 * Where the tokens of people who are signed in are kept: your database, your cache, a file of mode 0600. A value comes back as
 * it was given, as an object of its own.
 *
 * @example
 * ```ts
 * import type { StoredSession, TokenStore } from "@x/lakebase-core";
 *
 * export function memoryStore(): TokenStore {
 *   const kept = new Map<string, string>();
 *   return {
 *     get: async (key) => JSON.parse(kept.get(key) ?? "null"),
 *     set: async (key, session: StoredSession) => void kept.set(key, JSON.stringify(session)),
 *     delete: async (key) => void kept.delete(key),
 *   };
 * }
 * ```
 */
export interface TokenStore {
  /** What was kept under this key; `undefined` or `null` when there is nothing. */
  get(key: string): Promise<StoredSession | undefined | null>;
  /** Must have happened when its promise resolves: the token that was there before is dead by then. */
  set(key: string, session: StoredSession): Promise<void>;
  /** Does nothing when there is nothing. */
  delete(key: string): Promise<void>;
  /**
   * For a store that several processes share: runs `work` while nobody else runs one for this key, so that two of them do not
   * use one refresh token. A workspace that sees one used twice may end the whole session.
   */
  withLock?<T>(key: string, work: () => Promise<T>): Promise<T>;
}

/** What is kept, with its secrets wrapped. */
export interface Session extends Omit<StoredSession, "version" | "accessToken" | "refreshToken"> {
  readonly accessToken: Secret;
  readonly refreshToken?: Secret;
}

/** One person's entry in a store. */
export interface SessionEntry {
  /** @throws LakebaseError `ERR_LAKEBASE_TOKEN_STORE` when the store fails, or what it answers is of no use. */
  read(): Promise<Session | undefined>;
  /** @throws LakebaseError `ERR_LAKEBASE_TOKEN_STORE`, retryable */
  write(session: Session): Promise<void>;
  /** @throws LakebaseError `ERR_LAKEBASE_TOKEN_STORE`, retryable */
  remove(): Promise<void>;
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** Whose tokens an entry may hold: they are sent nowhere else. */
export interface SessionOwner {
  readonly workspaceHost: string;
  readonly clientId: string;
}

export function openEntry(store: TokenStore, key: string, owner: SessionOwner): SessionEntry {
  const asked = async <T>(method: string, ask: () => Promise<T>, given: readonly string[] = []): Promise<T> => {
    try {
      return await ask();
    } catch (cause) {
      const failed = `the token store failed at ${method}()`;
      // Databases and ORMs quote the values of a statement that failed.
      const quotes = quotesAny(cause, given);
      throw new LakebaseError(
        "ERR_LAKEBASE_TOKEN_STORE",
        quotes ? `${failed}: ${nameOfError(cause)}, which is not passed on because it quotes the tokens` : failed,
        quotes ? { retryable: true } : { cause, retryable: true },
      );
    }
  };
  return {
    read: async () => parseStored(await asked("get", () => store.get(key)), owner),
    write: ({ accessToken, refreshToken, ...session }) => {
      const tokens = {
        accessToken: accessToken.reveal(),
        ...(refreshToken && { refreshToken: refreshToken.reveal() }),
      };
      return asked("set", () => store.set(key, { version: 1, ...session, ...tokens }), Object.values(tokens));
    },
    remove: () => asked("delete", () => store.delete(key)),
    alone: (work) => lockedWork(store, key, work),
  };
}

/** Errors are small; what has more in it than this is not searched, and not passed on. */
const mostSearched = 10_000;

/** Whether any of the texts is in an error, or in anything that can be reached from it. */
function quotesAny(error: unknown, texts: readonly string[]): boolean {
  // Each thing once: connections, which errors hold at times, lead to one another.
  const found = new Set<unknown>([error]);
  for (const value of found) {
    const shown = Buffer.isBuffer(value) ? value.toString("latin1") : value;
    if (typeof shown === "string" ? texts.some((text) => shown.includes(text)) : found.size > mostSearched) return true;
    if (Object(shown) !== shown) continue;
    for (const { value: part } of Object.values(Object.getOwnPropertyDescriptors(shown))) found.add(part);
    if (shown instanceof Map || shown instanceof Set) for (const part of [...shown].flat()) found.add(part);
  }
  return false;
}

function nameOfError(error: unknown): string {
  const { name } = Object(error) as { name?: unknown };
  const word = typeof name === "string" && /^\w{1,60}$/.test(name) ? name : "an error";
  const code = errorCode(error);
  return code !== undefined && /^\w{1,40}$/.test(code) ? `${word} ${code}` : word;
}

/** The lock's own failures are the store's; those of the work are not. */
async function lockedWork<T>(store: TokenStore, key: string, work: () => Promise<T>): Promise<T> {
  if (!store.withLock) return work();
  let outcome: { value: T } | { error: unknown } | undefined;
  try {
    await store.withLock(key, async () => {
      outcome = await work().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
    });
  } catch (cause) {
    // What was done under the lock is done, whatever became of the lock.
    if (!outcome) {
      throw new LakebaseError("ERR_LAKEBASE_TOKEN_STORE", "the token store failed at withLock()", {
        cause,
        retryable: true,
      });
    }
  }
  if (!outcome) throw unusable("its withLock() did not run the work");
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

function parseStored(stored: unknown, owner: SessionOwner): Session | undefined {
  if (stored === undefined || stored === null) return undefined;
  if (typeof stored !== "object") {
    throw unusable(
      `it answered ${typeof stored === "string" ? "a string; parse what you have serialised" : typeof stored}`,
    );
  }
  const {
    version,
    workspaceHost,
    clientId,
    user,
    workspaceId,
    signIn,
    accessToken,
    issuedAt,
    expiresAt,
    refreshToken,
  } = stored as Partial<Record<keyof StoredSession, unknown>>;
  if (version !== 1) throw unusable("it answered an entry of another layout than version 1");
  if (workspaceHost !== owner.workspaceHost || clientId !== owner.clientId) {
    throw unusable("its entry belongs to another workspace or OAuth app, and is not sent to this one");
  }
  if (
    !isTokenText(accessToken) ||
    !(refreshToken === undefined || isTokenText(refreshToken)) ||
    typeof signIn !== "string" ||
    ![user, workspaceId].every((text) => text === undefined || typeof text === "string") ||
    !Number.isFinite(issuedAt) ||
    !Number.isFinite(expiresAt)
  ) {
    throw unusable("it answered an entry that is damaged");
  }
  return {
    ...{ workspaceHost: owner.workspaceHost, clientId: owner.clientId, signIn },
    ...(user !== undefined && { user: user as string }),
    ...(workspaceId !== undefined && { workspaceId: workspaceId as string }),
    accessToken: createSecret(accessToken),
    issuedAt: issuedAt as number,
    expiresAt: expiresAt as number,
    ...(refreshToken !== undefined && { refreshToken: createSecret(refreshToken) }),
  };
}

function unusable(what: string): LakebaseError {
  return new LakebaseError("ERR_LAKEBASE_TOKEN_STORE", `the token store is of no use: ${what}`);
}
