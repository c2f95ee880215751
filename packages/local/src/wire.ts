import type { Duplex } from "node:stream";

// The few messages of the Postgres protocol (version 3) that pass before a session is handed over.
// https://www.postgresql.org/docs/17/protocol-message-formats.html

export const SSL_REQUEST = 80_877_103;
export const GSS_REQUEST = 80_877_104;
export const CANCEL_REQUEST = 80_877_102;

/** Postgres caps a startup packet at 10,000 bytes (MAX_STARTUP_PACKET_LENGTH in pqcomm.h). */
const LARGEST_STARTUP = 10_000;
/** Postgres caps a password or SASL message at 65,535 bytes (PG_MAX_AUTH_TOKEN_LENGTH in auth.h). */
const LARGEST_AUTH_MESSAGE = 65_535;
/** Of a server that we started or were told to trust; an error message may be long. */
const LARGEST_SERVER_MESSAGE = 16 * 1024 * 1024;

export interface Message {
  /** One letter, such as `R` or `Z`. */
  type: string;
  /** What follows the length. */
  body: Buffer;
  /** The whole message as it came. */
  bytes: Buffer;
}

/** Somebody sent what the protocol does not allow. */
export class ProtocolViolation extends Error {
  override name = "ProtocolViolation";
}

/**
 * Reads exactly `size` bytes and leaves the rest in the stream, so that it can be piped afterwards.
 * `undefined` when the stream ends first.
 */
export function readBytes(stream: Duplex, size: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const look = () => {
      const bytes: Buffer | null = size === 0 ? Buffer.alloc(0) : stream.read(size);
      if (bytes === null && !stream.destroyed && !stream.readableEnded) return;
      for (const event of events) stream.removeListener(event, look);
      resolve(bytes?.length === size ? bytes : undefined);
    };
    // They stay until there is enough: each new listener is told at once of the part that has come, and with a new one for
    // each look nothing else would ever get its turn.
    for (const event of events) stream.on(event, look);
    look();
  });
}

const events = ["readable", "end", "close", "error"];

/** A packet that has no type letter: the startup packet and the requests that may come before it. */
export async function readStartupPacket(stream: Duplex): Promise<Buffer | undefined> {
  const head = await readBytes(stream, 4);
  if (!head) return undefined;
  const length = head.readUInt32BE();
  if (length < 8 || length > LARGEST_STARTUP) throw new ProtocolViolation("invalid length of startup packet");
  const rest = await readBytes(stream, length - 4);
  return rest && Buffer.concat([head, rest]);
}

/** The next message of a client that has not logged in yet. */
export function readClientMessage(stream: Duplex): Promise<Message | undefined> {
  return readMessage(stream, LARGEST_AUTH_MESSAGE);
}

export function readServerMessage(stream: Duplex): Promise<Message | undefined> {
  return readMessage(stream, LARGEST_SERVER_MESSAGE);
}

async function readMessage(stream: Duplex, largest: number): Promise<Message | undefined> {
  const head = await readBytes(stream, 5);
  if (!head) return undefined;
  const length = head.readUInt32BE(1);
  if (length < 4 || length > largest) throw new ProtocolViolation("invalid message length");
  const body = await readBytes(stream, length - 4);
  return body && { type: String.fromCharCode(head.readUInt8()), body, bytes: Buffer.concat([head, body]) };
}

export function message(type: string, ...parts: (Buffer | string)[]): Buffer {
  // A string is written as Postgres does: with a zero byte at its end.
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(`${part}\0`) : part)));
  const head = Buffer.alloc(5);
  head.write(type, "latin1");
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export interface ServerError {
  severity: string;
  sqlState: string;
  message: string;
  detail?: string;
}

/**
 * An ErrorResponse.
 *
 * `localised` leaves out the `V` field (the severity that is never translated), as the proxy of Autoscaling does.
 */
export function errorResponse(error: ServerError, { localised = false } = {}): Buffer {
  const field = (code: string, value: string) => Buffer.from(`${code}${value}\0`);
  return message(
    "E",
    field("S", error.severity),
    ...(localised ? [] : [field("V", error.severity)]),
    field("C", error.sqlState),
    field("M", error.message),
    ...(error.detail === undefined ? [] : [field("D", error.detail)]),
    Buffer.of(0),
  );
}

export function parseErrorResponse(body: Buffer): ServerError {
  const fields = new Map<string, string>();
  for (const field of body.toString("utf8").split("\0")) fields.set(field.charAt(0), field.slice(1));
  return {
    severity: fields.get("V") ?? fields.get("S") ?? "ERROR",
    sqlState: fields.get("C") ?? "XX000",
    message: fields.get("M") ?? "unknown error",
  };
}

/** The parameters of a startup packet, as they were sent. */
export function parseStartup(packet: Buffer): Record<string, string> {
  const parts = packet.subarray(8).toString("utf8").split("\0");
  const parameters: [string, string][] = [];
  for (let index = 0; parts[index]; index += 2) {
    const value = parts[index + 1];
    if (value === undefined) throw new ProtocolViolation("invalid startup packet layout");
    parameters.push([String(parts[index]), value]);
  }
  return Object.fromEntries(parameters);
}

export function startupPacket(parameters: Record<string, string>): Buffer {
  const body = Buffer.from(`${Object.entries(parameters).flat().join("\0")}\0\0`);
  return Buffer.concat([int32(body.length + 8), int32(196_608), body]);
}
