import type { FullClock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import { errorCode, isLakebaseError } from "./error-chain.ts";
import { LakebaseError } from "./errors.ts";
import { HostSearch } from "./host-search.ts";
import { type NamedTarget, type Target, targetLabel } from "./target.ts";
import { type FoundTarget, lookUpReplica, lookUpTarget } from "./target-lookup.ts";
import { forever, type MintContext, TokenCache, type TokenWait } from "./token-cache.ts";
import type { WorkspaceCall } from "./workspace.ts";

export interface TargetBookParts {
  readonly target: Target;
  readonly clock: FullClock;
  readonly call: (context: MintContext) => WorkspaceCall;
  /** Asked after the identity is settled. */
  readonly workspace: () => string;
  readonly upstream: TokenCache<unknown>;
}

/** How often at most the workspace is asked again where a host has gone to: an outage must not become a storm. */
const renewalHoldMs = 15_000;
/** How long a login waits for that answer. */
const renewalWaitMs = 5000;
/** How long a search that has found nothing stands for the answer to the next one: it may be two hundred calls. */
const emptySearchHoldMs = 60_000;

/** Something that the workspace said once. The old answer stays until there is a new one. */
class Answer<Value> {
  readonly #cache: TokenCache<Value>;
  #value: Value | undefined;

  constructor(cache: TokenCache<Value>) {
    this.#cache = cache;
  }

  async get(wait: TokenWait): Promise<Value> {
    this.#value ??= (await this.#cache.get(wait)).cached.value;
    return this.#value;
  }

  /** Asks again, once; while what was known is being replaced there may be nothing. */
  async renew(signal: AbortSignal, isComplete: (value: Value) => boolean): Promise<void> {
    if (this.#value === undefined) return;
    this.#cache.invalidate(() => true);
    const { cached } = await this.#cache.get({ signal, background: true });
    if (isComplete(cached.value)) this.#value = cached.value;
    else this.#cache.invalidate(() => true);
  }

  /** What was said is wrong by now: the next one who needs it asks, and has to wait. */
  forget(): void {
    this.#value = undefined;
    this.#cache.invalidate(() => true);
  }

  get lastErrorCode(): string | undefined {
    return this.#cache.snapshot().lastErrorCode;
  }

  close(): void {
    this.#cache.close();
  }
}

/** What the workspace has said about the target: asked once, and again when a host that it named is gone. */
export class TargetBook {
  readonly #parts: TargetBookParts;
  readonly #found: Answer<FoundTarget>;
  readonly #replica: Answer<string | undefined>;
  #renewal: Promise<unknown> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;
  /** The branch that a project meant when it was first asked: a handle does not change over to another one. */
  #branch: Target | undefined;
  #search: HostSearch | undefined;
  #emptySearch: { readonly until: number; readonly error: unknown } | undefined;

  constructor(parts: TargetBookParts) {
    this.#parts = parts;
    const { clock, upstream, target } = parts;
    const answer = <Value>(what: string, ask: (context: MintContext) => Promise<Value>) =>
      new Answer(
        new TokenCache({
          clock,
          upstream,
          random: Math.random,
          label: `${what} of ${targetLabel(target)}`,
          mint: async (context) => forever(await ask(context)),
        }),
      );
    this.#found = answer("look-up", (context) => this.#lookUp(context));
    this.#replica = answer("read-only host", async (context) =>
      lookUpReplica(parts.call(context), (await this.get(context)).named.name),
    );
  }

  /** What tokens are minted for; asks nobody where it is known. */
  async named(wait: TokenWait): Promise<NamedTarget> {
    const { target } = this.#parts;
    return isNamed(target) ? target : (await this.get(wait)).named;
  }

  get(wait: TokenWait): Promise<FoundTarget> {
    return this.#found.get(wait);
  }

  /**
   * The host that the workspace names.
   *
   * @throws LakebaseError `ERR_LAKEBASE_NOT_FOUND` when there is none (yet).
   */
  async host(access: "read-write" | "read-only", wait: TokenWait): Promise<string> {
    const found = await this.get(wait);
    const told = access === "read-only" ? found.readOnly : found.readWrite;
    if (told !== undefined) return told;
    if (access === "read-only" && found.named.kind === "endpoint") {
      const replica = await this.#replica.get(wait);
      if (replica !== undefined) return replica;
    }
    // It may have one later: a young endpoint, or readable secondaries that are enabled now.
    this.#found.forget();
    this.#replica.forget();
    const why = access === "read-only" ? ": there are neither readable secondaries nor a read-only endpoint" : " yet";
    throw new LakebaseError(
      "ERR_LAKEBASE_NOT_FOUND",
      `${targetLabel(this.#parts.target)} has no ${access} host${why}`,
      { retryable: true },
    );
  }

  /** Asks again where the hosts have gone to; waits for the answer a moment, and keeps the old one where there is none. */
  async renew(): Promise<void> {
    const { clock } = this.#parts;
    if (!this.#renewal && clock.monotonic() - this.#renewedAt < renewalHoldMs) return;
    this.#renewedAt = clock.monotonic();
    const expired = () => new LakebaseError("ERR_LAKEBASE_TIMEOUT", "the workspace is slow");
    this.#renewal ??= withDeadline({ clock, timeoutMs: renewalWaitMs, expired }, (signal) =>
      Promise.all([
        this.#found.renew(signal, ({ readWrite, readOnly }) => (readWrite ?? readOnly) !== undefined),
        this.#replica.renew(signal, (host) => host !== undefined),
      ]),
    )
      // What was known may still be right.
      .catch(() => {})
      .finally(() => {
        this.#renewal = undefined;
      });
    await this.#renewal;
  }

  /** Asks again what tokens are to be minted for, where that was found and not given. */
  async renewNamed(): Promise<void> {
    if (!isNamed(this.#parts.target)) await this.renew();
  }

  get lastErrorCode(): string | undefined {
    return this.#found.lastErrorCode ?? this.#replica.lastErrorCode;
  }

  close(): void {
    this.#found.close();
    this.#replica.close();
  }

  async #lookUp(context: MintContext): Promise<FoundTarget> {
    const { target } = this.#parts;
    if (target.kind === "host") return this.#searchHost(target.name, context);
    const found = await lookUpTarget(this.#parts.call(context), this.#branch ?? target);
    if (target.kind === "project") {
      this.#branch = { kind: "branch", name: found.named.name.replace(/\/endpoints\/.*$/, "") };
    }
    return found;
  }

  async #searchHost(host: string, context: MintContext): Promise<FoundTarget> {
    const { clock } = this.#parts;
    if (this.#emptySearch && clock.monotonic() < this.#emptySearch.until) throw this.#emptySearch.error;
    this.#search ??= new HostSearch(host, this.#parts.workspace());
    try {
      const found = await this.#search.run(this.#parts.call(context));
      this.#search = undefined;
      return found;
    } catch (error) {
      if (isLakebaseError(error) && !error.retryable && !context.signal.aborted) {
        this.#search = undefined;
        this.#emptySearch = { until: clock.monotonic() + emptySearchHoldMs, error };
      }
      throw error;
    }
  }
}

/** Codes of a socket to a host that is not there. A reset or a slow answer is more often a compute that wakes. */
const goneCodes = new Set(["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);
/** How the proxy words it. */
const goneText = /Couldn't connect to compute node|endpoint (?:is disabled|cannot be found)/i;

/**
 * Whether a failed login says that its host is not there any more.
 *
 * @param dialsHost Whether it is the host's own address that was dialled.
 */
export function isHostGone(error: unknown, dialsHost: boolean): boolean {
  const { message } = Object(error) as { message?: unknown };
  return (dialsHost && goneCodes.has(errorCode(error) ?? "")) || goneText.test(String(message));
}

export function isNamed(target: Target): target is NamedTarget {
  return target.kind === "endpoint" || target.kind === "instance";
}
