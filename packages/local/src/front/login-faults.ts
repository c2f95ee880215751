import type { MovableClock } from "../clock.ts";
import { errorResponse, type ServerError } from "../wire.ts";

/**
 * How far a login has come when a fault meets it.
 *
 * - `accept`: the TCP connection stands, nothing has been read
 * - `ssl-request`: TLS was asked for and not answered yet
 * - `startup`: the startup packet has come through TLS, no password was asked for
 * - `password`: the password (or the first SCRAM message) has come and was not judged yet
 */
export type LoginPhase = "accept" | "ssl-request" | "startup" | "password";

/** What a fault can do to the login that meets it. */
export interface FaultyLogin {
  clock: MovableClock;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  /** Sends bytes as they are and closes the connection. */
  refuse(bytes: Buffer, error: ServerError): void;
  /** Cuts the TCP connection with RST. */
  reset(): void;
}

/**
 * The kinds of faults and what each does; `true` lets the login go on.
 * A new kind is a new entry here, and its options are those of its function.
 */
const kinds = {
  /** Answers with an error of your choice. `severity` is FATAL by default. */
  refuse(login: FaultyLogin, error: { sqlState: string; message: string; severity?: string }) {
    const full: ServerError = { severity: "FATAL", ...error };
    login.refuse(errorResponse(full), full);
    return false;
  },
  /** Never answers. */
  async hang(login: FaultyLogin, _options: object) {
    await login.clock.sleep(Number.MAX_SAFE_INTEGER, login.signal);
    return false;
  },
  /** Cuts the connection with RST. */
  reset(login: FaultyLogin, _options: object) {
    login.reset();
    return false;
  },
  /** Goes on after a while of the local clock. */
  async slow(login: FaultyLogin, { delayMs }: { delayMs: number }) {
    await login.clock.sleep(delayMs, login.signal);
    return true;
  },
} satisfies Record<string, (login: FaultyLogin, options: never) => boolean | Promise<boolean>>;

type Kinds = typeof kinds;

/** A fault of the login front. */
export type LoginFault = {
  [Kind in keyof Kinds]: { kind: Kind } & Parameters<Kinds[Kind]>[1];
}[keyof Kinds] & {
  /** How many logins meet it; default: all. */
  times?: number;
  /** Default `password`. */
  phase?: LoginPhase;
};

/** @returns whether the login goes on */
export async function playLoginFault(fault: LoginFault, login: FaultyLogin): Promise<boolean> {
  const play = kinds[fault.kind] as (login: FaultyLogin, fault: LoginFault) => boolean | Promise<boolean>;
  return (await play(login, fault)) && !login.signal.aborted;
}
