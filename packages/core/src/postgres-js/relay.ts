import type { TLSSocket } from "node:tls";
import postgres from "postgres";
import { errorFields, WholeMessages } from "./protocol.ts";

/** A login that has succeeded. */
export interface Session {
  readonly socket: TLSSocket;
  readonly address: string;
  readonly port: number;
  /** What the server has said since it let us in. */
  readonly heard: Buffer;
  /** The server's process. */
  readonly processId: number | undefined;
}

/** What becomes of a session's bytes and of its end. */
interface RelayListener {
  onData(bytes: Buffer): void;
  onDrain(): void;
  /** The session is over. `lost` makes the error for whoever wanted something of it. */
  onEnd(code: string | undefined, lost: () => Error): void;
}

const inTransaction = 0x54;
/** Ready for the next statement of a transaction that has failed. */
export const readyAfterFailure = Buffer.from("Z\0\0\0\x05E", "latin1");

/**
 * Passes a session on to postgres.js.
 *
 * @returns whether the session is in a transaction and has nothing to do.
 */
export function relay({ socket, address, port, heard }: Session, listener: RelayListener): () => boolean {
  const messages = new WholeMessages();
  let failure: NodeJS.ErrnoException | undefined;
  const onData = (chunk: Buffer) => {
    for (const piece of messages.take(chunk)) listener.onData(piece);
    // Told with the end: postgres.js would write the next statement to a session that is ending, and would report an error
    // that it has been told of as a message once more at the next login.
    if (messages.fatal) socket.destroy();
  };
  socket.on("data", onData);
  socket.on("drain", () => listener.onDrain());
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => {
    const { fatal } = messages;
    const code = failure?.code ?? "CONNECTION_CLOSED";
    const message = failure?.message ?? `write ${code} ${address}:${port}`;
    listener.onEnd(fatal?.code ?? failure?.code, () =>
      fatal ? serverError(fatal) : Object.assign(new Error(message), { code, errno: code, address, port }),
    );
  });
  onData(heard);
  return () => messages.status === inTransaction;
}

/** The server's error as postgres.js would report it. */
export function serverError(response: Buffer | object): Error {
  const PostgresError = postgres.PostgresError as unknown as new (fields: object) => Error;
  return new PostgresError(Buffer.isBuffer(response) ? errorFields(response) : response);
}
