import { setTimeout as delay } from "node:timers/promises";
import type { LoginRecord, RequestRecord } from "@x/lakebase-local";
import { grouped, inSeconds } from "../output/numbers.ts";
import type { Stage } from "./stage.ts";

export interface Outage {
  durationMs: number;
  /** While it lasted. */
  logins: LoginRecord[];
  requests: RequestRecord[];
  orders: number;
}

/** No new tokens for most of the life of the one in use. */
export async function failTokenEndpoint({ local, tokens, tally, say, signal }: Stage): Promise<Outage> {
  const leftMs = await tokens.untilYoung(0.33, signal);
  const before = { logins: local.logins.length, requests: local.requests.length, orders: tally.acknowledged.size };
  const startedAt = performance.now();
  const fault = local.faults.api({ kind: "status", on: "credential", status: 503 });
  say(`The token endpoint fails: 503. The token has ${inSeconds(leftMs)} left.`);
  try {
    await delay(0.75 * leftMs, undefined, { signal });
  } finally {
    fault.clear();
  }
  const outage: Outage = {
    durationMs: performance.now() - startedAt,
    logins: local.logins.slice(before.logins).filter(({ outcome }) => outcome !== "pending"),
    requests: local.requests.slice(before.requests),
    orders: tally.acknowledged.size - before.orders,
  };
  const failed = outage.requests.filter(({ status }) => status === 503).length;
  say(`The token endpoint is back after ${inSeconds(outage.durationMs)}; it failed ${failed} times.`);
  say(`Meanwhile ${grouped(outage.orders)} orders, and ${outage.logins.length} new logins with the old token.`);
  await tokens.next("refresh", signal);
  return outage;
}
