import type { TLSSocket } from "node:tls";
import postgres from "postgres";
import type { ConnectionSettings } from "../handle.ts";
import {
  authentication,
  completeStartup,
  errorFields,
  isError,
  MessageReader,
  passwordMessage,
  readyForQuery,
} from "./protocol.ts";
import { closedEarly, openSecureSocket, type Route } from "./secure-socket.ts";

export { fatalCode, isCancelRequest, isError } from "./protocol.ts";

/** What happens during a dial. */
interface DialListener {
  /** The server asks for what only the driver can answer, on this socket. */
  onChallenge(socket: TLSSocket, message: Buffer): void;
  /** The server is ready for queries; what it has said since it let us in. */
  onReady(socket: TLSSocket, heard: Buffer): void;
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
  const { user, options, password } = settings;
  await new Promise<void>((resolve, reject) => {
    const messages = new MessageReader();
    const heard: Buffer[] = [];
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
      if (isError(message)) return fail(serverError(message));
      if (message[0] === authentication) {
        const request = message.readInt32BE(5);
        // Answered here: postgres.js knows one password for all connections, and a login has a token of its own.
        if (request === requests.cleartextPassword) return socket.write(passwordMessage(password.reveal()));
        if (request !== requests.ok) return listener.onChallenge(socket, message);
      }
      heard.push(message);
      if (message[0] !== readyForQuery) return;
      settle();
      resolve();
      listener.onReady(socket, Buffer.concat([...heard, messages.rest]));
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

/** Sends a request to cancel a statement, which needs no token, and waits until the server has taken it. */
export async function cancel(route: Route, request: Buffer, signal: AbortSignal): Promise<void> {
  const socket = await openSecureSocket(route, 0, signal);
  await new Promise((resolve) => {
    signal.addEventListener("abort", () => socket.destroy());
    socket.on("error", () => {}).once("close", resolve);
    socket.resume().write(request);
  });
}

/** The server's refusal as postgres.js would report it. */
function serverError(message: Buffer): Error {
  const PostgresError = postgres.PostgresError as unknown as new (fields: object) => Error;
  return new PostgresError(errorFields(message));
}
