import type { TLSSocket } from "node:tls";
import { LakebaseError } from "../errors.ts";
import type { ConnectionSettings } from "../handle.ts";
import {
  authentication,
  completeStartup,
  errorResponse,
  MessageReader,
  passwordMessage,
  processId,
  readyForQuery,
} from "./protocol.ts";
import { type Session, serverError } from "./relay.ts";
import { closedEarly, openSecureSocket, type Route } from "./secure-socket.ts";

export { untilGone } from "./ending.ts";
export { isCancelRequest } from "./protocol.ts";
export { readyAfterFailure, relay } from "./relay.ts";
export { holdReservation } from "./reservation.ts";

/** What happens during a dial. */
interface DialListener {
  /** The server asks for what only the driver can answer, on this socket. */
  onChallenge(socket: TLSSocket, message: Buffer): void;
  /** The server is ready for queries. */
  onReady(session: Session): void;
}

const requests = { ok: 0, cleartextPassword: 3 };

/**
 * One dial with one token, up to the moment at which the server is ready. Rejects with the server's refusal or with the
 * socket's own error, and leaves no socket then.
 */
export async function dial(
  startup: Buffer,
  settings: ConnectionSettings,
  keepAliveMs: number,
  signal: AbortSignal,
  listener: DialListener,
): Promise<void> {
  const socket = await openSecureSocket(settings, keepAliveMs, signal);
  const { host: address, port, user, options, password } = settings;
  await new Promise<void>((resolve, reject) => {
    const messages = new MessageReader();
    const heard: Buffer[] = [];
    let id: number | undefined;
    let settled = false;
    const settle = () => {
      settled = true;
      signal.removeEventListener("abort", onAbort);
      socket.removeListener("data", onData).removeListener("error", fail).removeListener("close", onClose);
    };
    const fail = (error: unknown) => {
      settle();
      socket.on("error", () => {}).destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const onClose = () => fail(closedEarly());
    const onMessage = (message: Buffer) => {
      if (message[0] === errorResponse) return fail(serverError(message));
      if (message[0] === authentication) {
        const request = message.readInt32BE(5);
        // Answered here: postgres.js knows one password for all connections, and a login has a token of its own.
        if (request === requests.cleartextPassword) return socket.write(passwordMessage(password.reveal()));
        if (request !== requests.ok) return listener.onChallenge(socket, message);
      }
      heard.push(message);
      id ??= processId(message);
      if (message[0] !== readyForQuery) return;
      settle();
      resolve();
      listener.onReady({ socket, address, port, heard: Buffer.concat([...heard, messages.rest]), processId: id });
    };
    const onData = (chunk: Buffer) => {
      try {
        for (const message of messages.read(chunk)) {
          onMessage(message);
          if (settled) return;
        }
      } catch (error) {
        if (settled) throw error;
        fail(error);
      }
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("data", onData).once("error", fail).once("close", onClose);
    if (signal.aborted) onAbort();
    else socket.write(completeStartup(startup, user, options));
  });
}

/**
 * Sends a request to cancel a statement, which needs no token, and waits until the server has taken it. postgres.js cannot
 * hear of a failure, so there is none.
 */
export async function cancel(
  route: Route | undefined,
  request: Buffer,
  timeoutMs: number,
  ended: AbortSignal,
): Promise<void> {
  if (!route) return;
  const signal = AbortSignal.any([ended, AbortSignal.timeout(timeoutMs)]);
  const socket = await openSecureSocket(route, 0, signal).catch(() => undefined);
  await new Promise((resolve) => {
    if (!socket) return resolve(undefined);
    signal.addEventListener("abort", () => socket.destroy());
    socket.on("error", () => {}).once("close", resolve);
    socket.resume().write(request);
  });
}

/** postgres.js writes the statement into the error that it fails with, and one error of ours may end many logins. */
export function ownCopy(error: unknown): unknown {
  if (!(error instanceof LakebaseError)) return error;
  const copy = new LakebaseError(error.code, error.message, error);
  if (error.stack !== undefined) copy.stack = error.stack;
  return copy;
}
