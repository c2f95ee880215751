import { setTimeout as delay } from "node:timers/promises";
import type { LocalLakebase } from "@x/lakebase-local";
import type { Tally } from "../load/tally.ts";
import type { Turnstile } from "../load/turnstile.ts";
import type { TokenWatch } from "./token-watch.ts";

/** What a fault needs to happen, and to be told. */
export interface Stage {
  local: LocalLakebase;
  turnstile: Turnstile;
  tally: Tally;
  tokens: TokenWatch;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** Waits for what only the server's record tells, by looking again and again. */
export async function until({ signal }: Stage, happened: () => boolean): Promise<void> {
  while (!happened()) await delay(5, undefined, { signal });
}
