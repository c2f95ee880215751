import type { LakebasePool } from "@x/lakebase-drizzle";
import type { LocalLakebase } from "@x/lakebase-local";
import type { Tally } from "../load/tally.ts";
import type { Turnstile } from "../load/turnstile.ts";
import type { TokenWatch } from "./token-watch.ts";

/** What a fault needs to happen, and to be told. */
export interface Stage {
  local: LocalLakebase;
  pool: LakebasePool;
  turnstile: Turnstile;
  tally: Tally;
  tokens: TokenWatch;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** Waits for the pool; `once` of node:events would fail when an idle session ends, which a pool tells as an `error`. */
export function nextOfPool({ pool, signal }: Stage, name: "connect" | "remove"): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    const onAbort = () => {
      pool.off(name, done);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    pool.once(name, done);
  });
}
