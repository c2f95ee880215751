import type { LoginRecord } from "@x/lakebase-local";
import { inSeconds } from "../output/numbers.ts";
import { isToldToWait } from "../record/login-outcome.ts";
import { type Stage, until } from "./stage.ts";

export interface Suspension {
  sessionsEnded: number;
  awakeAfterMs: number;
  /** From the suspension until the first that was let in. */
  logins: LoginRecord[];
}

/** Sessions that a pool was closing just then are not told as lost, so there may be fewer losses than sessions. */
const noticedWithinMs = 300;

/** Scale to zero, in small: nothing is asked, so the compute goes to sleep; the next login wakes it. */
export async function suspendCompute(stage: Stage): Promise<Suspension> {
  const { local, tokens, turnstile, say } = stage;
  await pauseWork(stage);
  const before = local.logins.length;
  const lostBefore = tokens.losses;
  let sessionsEnded: number;
  try {
    sessionsEnded = local.suspend({ waking: "starting-up" });
    say(`No query in flight: the compute is suspended, ${sessionsEnded} sessions end.`);
    // The pools hear of it in their own time. A query on a session that is gone would fail, and rightly so.
    await until(stage, () => local.sessions() === 0);
    const patience = performance.now() + noticedWithinMs;
    await until(stage, () => tokens.losses - lostBefore >= sessionsEnded || performance.now() > patience);
  } finally {
    turnstile.open();
  }
  const resumedAt = performance.now();
  await until(stage, () => local.logins.slice(before).some(({ outcome }) => outcome === "accepted"));
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
    await until(stage, () => stage.local.sessions() > 0);
    await stage.turnstile.close();
  }
}
