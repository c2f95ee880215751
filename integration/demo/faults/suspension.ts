import type { LoginRecord } from "@x/lakebase-local";
import { inSeconds } from "../output/numbers.ts";
import { isToldToWait } from "../record/login-outcome.ts";
import { nextOfPool, type Stage } from "./stage.ts";

export interface Suspension {
  sessionsEnded: number;
  awakeAfterMs: number;
  /** From the suspension until the first that was let in. */
  logins: LoginRecord[];
}

/** Scale to zero, in small: nothing is asked, so the compute goes to sleep; the next login wakes it. */
export async function suspendCompute(stage: Stage): Promise<Suspension> {
  const { local, pool, turnstile, say } = stage;
  await pauseWork(stage);
  const before = local.logins.length;
  let sessionsEnded: number;
  try {
    sessionsEnded = local.suspend({ waking: "starting-up" });
    say(`No query in flight: the compute is suspended, ${sessionsEnded} sessions end.`);
    // Postgres ends them in its own time. A query on one that is about to go would fail, and rightly so.
    while (pool.totalCount > 0) await nextOfPool(stage, "remove");
  } finally {
    turnstile.open();
  }
  const resumedAt = performance.now();
  await nextOfPool(stage, "connect");
  const awakeAfterMs = performance.now() - resumedAt;
  const logins = local.logins.slice(before);
  const told = logins.filter(isToldToWait).length;
  say(`Orders go on and wake it in ${inSeconds(awakeAfterMs)}; ${told} logins were told to wait.`);
  return { sessionsEnded, awakeAfterMs, logins };
}

/** Sessions live so short here that all may have ended just now; then there is nothing yet that a suspension could end. */
async function pauseWork(stage: Stage): Promise<void> {
  await stage.turnstile.close();
  while (stage.local.sessions() === 0) {
    stage.turnstile.open();
    await nextOfPool(stage, "connect");
    await stage.turnstile.close();
  }
}
