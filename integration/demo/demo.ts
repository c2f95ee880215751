import { createLakebase, detectLakebase } from "@x/lakebase-core";
import { startLocalLakebase } from "@x/lakebase-local";
import { sql } from "drizzle-orm";
import type { AdapterName } from "./app/counters/counter.ts";
import { openCounters } from "./app/counters/open-counters.ts";
import { applicationName, migrateDatabase, openOffice } from "./app/office.ts";
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
  /** The libraries that take orders, in turn. */
  adapters: readonly AdapterName[];
  display: Display;
  /** Ends the demo early. */
  signal: AbortSignal;
}

/** For each pool. Much too short a life for a service: a token is checked at login only, so the demo logs in all the time. */
const limits = { max: 4, maxLifetimeSeconds: 0.5 };
/** How much longer than planned the faults may take before something must be wrong. */
const graceMs = 20_000;

/**
 * Runs the service on a local Lakebase while things go wrong, and leaves nothing behind.
 *
 * @returns what is to be judged
 * @throws the signal's reason when it was ended early
 */
export async function runDemo({ seconds, adapters, display, signal }: DemoOptions): Promise<Evidence> {
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
    const lakebase = createLakebase({ env: local.env, applicationName, onEvent: tokens.onEvent });
    const office = openOffice(lakebase, limits);
    const closings = [() => office.$client.end()];
    const closeAll = () => Promise.all(closings.splice(0).map((close) => close()));
    try {
      const detection = await detectLakebase((text) => office.execute(sql.raw(text)));
      await migrateDatabase(office);
      await openShop(office);
      const counters = await openCounters(adapters, { lakebase, ...limits });
      closings.push(...[...counters.values()].map((counter) => () => counter.end()));
      signal.throwIfAborted();

      display.say(`The tables are there: ${workers} workers take orders for ${seconds} s, by ${adapters.join(", ")}.`);
      const startedAt = performance.now();
      display.start(() => readFigures({ local, lakebase, tally, adapters, startedAt }));
      const turnstile = new Turnstile();
      const closingTime = new AbortController();
      const within = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000 + graceMs)]);
      const atWork = AbortSignal.any([within, closingTime.signal]);
      const load = runLoad({ office, counters, turnstile, tally, signal: atWork });
      const stage = { local, turnstile, tally, tokens, say: display.say, signal: within };
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
      await closeAll();
      const postgres = await readPostgresRecord(local.postgresUrl, local.servicePrincipal.clientId);
      return { local, postgres, faults, tally, detection, adapters, seconds, tokenLifeSeconds };
    } finally {
      display.stop();
      await closeAll();
      await lakebase.close();
      await removeTables(local.postgresUrl, local.servicePrincipal.clientId);
    }
  } finally {
    await local.close();
  }
}
