import type { ResolvedScope } from "./config/scope.ts";
import { pause, withDeadline } from "./deadline.ts";
import { errorCode } from "./error-chain.ts";
import { LakebaseError } from "./errors.ts";
import { backoffMs } from "./expiry.ts";
import type { ConnectionSettings, Handle, HandleParts } from "./handle.ts";
import { classifyLoginError } from "./login-errors.ts";

/**
 * Opens one connection with the settings given and authenticates on it. Rejects with the server's or the socket's own
 * error, and must give up when the signal is aborted.
 *
 * @param accepted To be called as soon as the server has let us in.
 */
export type Dial<T> = (settings: ConnectionSettings, signal: AbortSignal, accepted: () => void) => Promise<T>;

export interface LoginRequest {
  readonly scope: ResolvedScope;
  /** Ends the login early. */
  readonly signal?: AbortSignal | undefined;
  /** What of `connectTimeoutMs` is left; default: all of it. */
  readonly timeoutMs?: number;
}

/**
 * One login, however many dials it takes: a token first, then the dial; once more with a new token when the old one is
 * refused, or at another host when the workspace names one; again and again while the compute wakes; all of it within `connectTimeoutMs`. Every driver seam goes through
 * here, so the rules stand in one place.
 */
export function logIn<T>(
  handle: Handle,
  { clock, label, emit, explainRefusal }: HandleParts,
  { scope, signal, timeoutMs = scope.connectTimeoutMs }: LoginRequest,
  dial: Dial<T>,
): Promise<T> {
  let stage = "waiting for a token";
  let lastError: unknown;
  const expired = () =>
    new LakebaseError(
      "ERR_LAKEBASE_TIMEOUT",
      `login to ${label}: not done within ${scope.connectTimeoutMs} ms (connectTimeoutMs), still ${stage}`,
      { retryable: true, cause: lastError },
    );
  return withDeadline({ clock, timeoutMs, signal, expired }, async (within) => {
    let replayed = false;
    for (let attempt = 1; ; attempt += 1) {
      const grant = await handle.grant(scope, within);
      const { host, hostAddress, port } = grant.settings;
      const address = `${host}${hostAddress ? ` (${hostAddress})` : ""} port ${port}`;
      if (lastError === undefined) stage = `logging in at ${address}`;
      try {
        return await dial(grant.settings, within, () => handle.loginAccepted(grant));
      } catch (error) {
        if (within.aborted) throw within.reason;
        const moved = await handle.movedTo(grant, scope, error, within);
        if (within.aborted) throw within.reason;
        switch (classifyLoginError(error)) {
          case "other":
            if (!moved) throw error;
            break;
          case "rejected":
            if (!handle.loginRejected(grant, error, replayed)) throw explainRefusal?.(error) ?? error;
            replayed = true;
            break;
          case "waking": {
            lastError = error;
            stage = `waiting for the compute at ${address}, which is not ready or not there (${errorCode(error) ?? "connection closed"})`;
            const retryInMs = backoffMs(attempt, 200, 2000, Math.random());
            emit({ type: "waking", code: errorCode(error), attempt, retryInMs: Math.round(retryInMs) });
            await pause(clock, retryInMs, within);
          }
        }
      }
    }
  });
}
