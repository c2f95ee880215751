import { setTimeout as delay } from "node:timers/promises";
import { failTokenEndpoint, type Outage } from "./outage.ts";
import { type Revocation, revokeToken } from "./revocation.ts";
import type { Stage } from "./stage.ts";
import { type Suspension, suspendCompute } from "./suspension.ts";

export interface FaultsPlayed {
  suspension: Suspension;
  revocation: Revocation;
  outage: Outage;
}

/** What goes wrong, and when: each at its share of the time, or a little later when it has to wait for a new token. */
export async function playFaults(stage: Stage, seconds: number): Promise<FaultsPlayed> {
  const startedAt = performance.now();
  const until = (share: number) =>
    delay(Math.max(0, startedAt + share * seconds * 1000 - performance.now()), undefined, { signal: stage.signal });

  await until(0.12);
  const suspension = await suspendCompute(stage);
  await until(0.3);
  const revocation = await revokeToken(stage);
  await until(0.45);
  const outage = await failTokenEndpoint(stage);
  await until(1);
  return { suspension, revocation, outage };
}
