import { channel } from "node:diagnostics_channel";
import type { LakebaseErrorCode } from "./errors.ts";

interface EventBase {
  /** The endpoint, instance or host that the handle is for. */
  readonly target: string;
}

/**
 * What a handle tells about itself. No event carries a secret, and an outage is a handful of events: one per try, and the
 * tries are spaced by backoff.
 */
export type LakebaseEvent =
  /** A new token is in the cache. `reason` says why it was fetched. */
  | (EventBase & {
      readonly type: "refresh";
      readonly reason: "first" | "stale" | "expired" | "rejected";
      readonly expiresAt: Date;
      readonly durationMs: number;
    })
  /** A try to fetch a token failed. `servingOld` tells whether logins still have a valid one. */
  | (EventBase & {
      readonly type: "refreshFailed";
      readonly code: LakebaseErrorCode | string;
      readonly message: string;
      readonly failures: number;
      readonly retryInMs: number | undefined;
      readonly servingOld: boolean;
    })
  /** A token has passed the point from which it is refreshed ahead; told once a token. */
  | (EventBase & { readonly type: "stale"; readonly expiresAt: Date })
  /** Postgres refused a login because of its token. `retrying` tells whether it is tried again with a new one. */
  | (EventBase & {
      readonly type: "loginRejected";
      readonly code: string | undefined;
      readonly tokenFromCache: boolean;
      readonly retrying: boolean;
    })
  /** The compute is not up yet; the login is tried again within its time limit. */
  | (EventBase & {
      readonly type: "waking";
      readonly code: string | undefined;
      readonly attempt: number;
      readonly retryInMs: number;
    })
  /** The host that the workspace had named is gone, and it names another one: logins go there. */
  | (EventBase & { readonly type: "hostMoved"; readonly from: string; readonly to: string })
  /** An open connection was lost (suspension, restart, 24 h idle, 3 days, network). */
  | (EventBase & { readonly type: "connectionLost"; readonly code: string | undefined })
  /** Something works and should not stay as it is; told once a handle. */
  | (EventBase & { readonly type: "warning"; readonly message: string })
  /** A setting was found and deliberately not used. */
  | (EventBase & { readonly type: "ignored"; readonly setting: string; readonly reason: string });

/** An event before the handle has put its target on it. */
export type LakebaseEventBody = LakebaseEvent extends infer Event
  ? Event extends LakebaseEvent
    ? Omit<Event, "target">
    : never
  : never;

/** The name of the `node:diagnostics_channel` on which every handle publishes its events. */
export const lakebaseChannelName = "@x/lakebase";

const lakebaseChannel = channel(lakebaseChannelName);

/**
 * Sends one event to the channel and to the handle's own listener. The listener is called directly and not subscribed to
 * the channel: a subscription is global, and would keep a handle alive that nobody closes.
 */
export function publishEvent(event: LakebaseEvent, listener: ((event: LakebaseEvent) => void) | undefined): void {
  if (lakebaseChannel.hasSubscribers) lakebaseChannel.publish(event);
  // A listener that fails, at once or later, must not turn a good login into a failed one.
  const ignore = () => {};
  try {
    Promise.resolve(listener?.(event)).catch(ignore);
  } catch {
    ignore();
  }
}
