import { createHash } from "node:crypto";
import type { FullClock } from "../clock.ts";
import { isLakebaseError } from "../error-chain.ts";
import { LakebaseError } from "../errors.ts";
import { jwtExpiry } from "../identity/token-answer.ts";
import type { Secret } from "../secret.ts";
import { TokenCache } from "../token-cache.ts";
import { Places } from "./places.ts";

/** An access token that the workspace has accepted, and whose it is. */
export interface ProvedToken {
  /** A hash of the token, to know it by. */
  readonly key: string;
  readonly token: Secret;
  readonly user: string;
  /** Wall-clock milliseconds; `Infinity` where the token does not tell. */
  readonly endsAt: number;
}

export interface ProofOptions {
  /** Asks the workspace who the bearer of a token is. */
  readonly ask: (token: Secret, signal: AbortSignal) => Promise<string>;
  readonly clock: FullClock;
  /** How many proofs are kept at most. */
  readonly most: number;
}

/**
 * How long the workspace's word for a token stands: a token that is revoked must stop working soon. From half of it on the
 * workspace is asked again behind the callers' backs, and a refusal counts at once.
 */
export const proofMs = 120_000;
/** No proof is younger than the next request of the same page. */
const shortestProofMs = 1000;
/** How many tokens are asked about at a time: strangers may send any number of them. */
const mostAtOnce = 32;

/** Knows whose an access token is, by the word of the workspace and by nothing else. */
export class Proofs {
  readonly #options: ProofOptions;
  /** By the hash of the token, least recently used first. */
  readonly #known = new Map<string, TokenCache<string>>();
  readonly #desks = new Places(mostAtOnce);

  constructor(options: ProofOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#known.size;
  }

  /**
   * @throws LakebaseError `ERR_LAKEBASE_UNAUTHENTICATED` when the workspace refuses the token, `ERR_LAKEBASE_MISSING_SCOPE`
   * when the token may not be asked about, or the code of why there is no answer.
   */
  async prove(token: Secret, signal: AbortSignal): Promise<ProvedToken> {
    const text = token.reveal();
    const key = createHash("sha256").update(text).digest("base64");
    // It is read only once the workspace has accepted these very bytes.
    const endsAt = jwtExpiry(text) ?? Number.POSITIVE_INFINITY;
    const cache = this.#known.get(key) ?? this.#newCache(token, endsAt);
    if (!this.#known.delete(key)) this.#makeRoom();
    this.#known.set(key, cache);
    const { cached } = await cache.get({ signal });
    return { key, token, endsAt, user: cached.value };
  }

  /** The workspace has refused the token elsewhere: its next use is a question again. */
  forget(key: string): void {
    this.#known.get(key)?.invalidate(() => true);
  }

  /** Drops what does not stand any more. */
  sweep(): void {
    for (const [key, cache] of this.#known) {
      const { phase, refreshing } = cache.snapshot();
      if (!refreshing && (phase === "none" || phase === "expired")) this.#known.delete(key);
    }
  }

  close(): void {
    for (const cache of this.#known.values()) cache.close();
    this.#known.clear();
  }

  #newCache(token: Secret, endsAt: number): TokenCache<string> {
    const { ask, clock } = this.#options;
    const cache: TokenCache<string> = new TokenCache({
      clock,
      random: Math.random,
      label: "the user of an access token",
      mint: async ({ signal }) => {
        await this.#desks.enter(signal);
        try {
          const value = await ask(token, signal);
          const now = clock.now();
          const lifetimeMs = Math.max(Math.min(proofMs, endsAt - now), shortestProofMs);
          return { value, lifetimeMs, expiresAt: now + lifetimeMs };
        } catch (error) {
          if (!isLakebaseError(error, "ERR_LAKEBASE_UNAUTHENTICATED")) throw error;
          cache.invalidate(() => true);
          throw refused(error);
        } finally {
          this.#desks.leave();
        }
      },
    });
    return cache;
  }

  #makeRoom(): void {
    const { most } = this.#options;
    if (this.#known.size >= most) this.sweep();
    for (const [key, cache] of this.#known) {
      if (this.#known.size < most) return;
      if (!cache.snapshot().refreshing) this.#known.delete(key);
    }
  }
}

function refused(cause: unknown): LakebaseError {
  return new LakebaseError(
    "ERR_LAKEBASE_UNAUTHENTICATED",
    "the workspace refuses this access token: it has ended, was revoked, or is for another workspace. Take the token anew from every request (`x-forwarded-access-token` in Databricks Apps), or have the user sign in again",
    { cause },
  );
}
