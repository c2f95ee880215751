import { detectLakebase } from "@x/lakebase-core";
import { startLocalLakebase } from "@x/lakebase-local";
import { sql } from "drizzle-orm";
import { migrateDatabase, openDatabase } from "./app/database.ts";
import { openShop } from "./app/opening-stock.ts";
import { playFaults } from "./faults/script.ts";
import { TokenWatch } from "./faults/token-watch.ts";
import { Tally } from "./load/tally.ts";
import { Turnstile } from "./load/turnstile.ts";
import { runLoad, workers } from "./load/workers.ts";
import type { Display } from "./output/display.ts";
import { readFigures } from "./output/figures.ts";
import type { Evidence } from "./record/checks.ts";
import { readPostgresRecord, removeTables, startCounting } from "./record/postgres-record.ts";

export interface DemoOptions {
  seconds: number;
  display: Display;
  /** Ends the demo early. */
  signal: AbortSignal;
}

/** How much longer than planned the faults may take before something must be wrong. */
const graceMs = 20_000;

/**
 * Runs the service on a local Lakebase while things go wrong, and leaves nothing behind.
 *
 * @returns what is to be judged
 * @throws the signal's reason when it was ended early
 */
export async function runDemo({ seconds, display, signal }: DemoOptions): Promise<Evidence> {
  // Short enough for several rotations in any run, long enough for the outage to fit into one life.
  const tokenLifeSeconds = Math.min(6, Math.max(3, Math.floor(seconds * 0.3)));
  display.say(`Starting a local Lakebase; its tokens live ${tokenLifeSeconds} s.`);
  const sayWhich = (line: string) => display.say(line.replace(/^local Lakebase: /, ""));
  const local = await startLocalLakebase({ tokenLifeSeconds, wakeDelayMs: 600, log: sayWhich });
  try {
    signal.throwIfAborted();
    await startCounting(local.postgresUrl);
    const tally = new Tally();
    const tokens = new TokenWatch();
    const logger = { logQuery: () => void tally.statements++ };
    const database = openDatabase({ env: local.env, onEvent: tokens.onEvent, logger });
    const pool = database.$client;
    try {
      const detection = await detectLakebase((text) => database.execute(sql.raw(text)));
      await migrateDatabase(database);
      await openShop(database);
      signal.throwIfAborted();

      display.say(`The tables are there: ${workers} workers take orders for ${seconds} s.`);
      const startedAt = performance.now();
      display.start(() => readFigures({ local, pool, tally, startedAt }));
      const turnstile = new Turnstile();
      const closingTime = new AbortController();
      const within = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000 + graceMs)]);
      const atWork = AbortSignal.any([within, closingTime.signal]);
      const load = runLoad({ database, turnstile, tally, signal: atWork });
      const stage = { local, pool, turnstile, tally, tokens, say: display.say, signal: within };
      const faults = await playFaults(stage, seconds)
        .catch((cause) => {
          const late = within.aborted && !signal.aborted;
          throw late ? new Error(`the faults were not over ${graceMs / 1000} s after their time`, { cause }) : cause;
        })
        .finally(() => {
          closingTime.abort();
          return load;
        });
      display.stop();

      // First, so that every login has its outcome.
      await pool.end();
      const postgres = await readPostgresRecord(local.postgresUrl, local.servicePrincipal.clientId);
      return { local, postgres, faults, tally, detection, seconds, tokenLifeSeconds };
    } finally {
      display.stop();
      await pool.end();
      await removeTables(local.postgresUrl, local.servicePrincipal.clientId);
    }
  } finally {
    await local.close();
  }
}
