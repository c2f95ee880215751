// The few messages of a login (protocol version 3).
// https://www.postgresql.org/docs/17/protocol-message-formats.html

const cancelRequestCode = 80_877_102;
const sslRequestCode = 80_877_103;

export const sslRequest = Buffer.alloc(8);
sslRequest.writeInt32BE(8);
sslRequest.writeInt32BE(sslRequestCode, 4);

/** First bytes of the server's messages. */
export const authentication = 0x52;
export const readyForQuery = 0x5a;
export const errorResponse = 0x45;
const backendKeyData = 0x4b;

/** No message of a login is longer; a server that announces one would have us gather bytes for ever. */
const longestMessage = 1 << 20;

/** Whether the first packet of a connection asks to cancel a statement of another one. */
export function isCancelRequest(packet: Buffer): boolean {
  return packet.length === 16 && packet.readInt32BE(4) === cancelRequestCode;
}

/** A startup packet with another user, and with libpq's `options` where it has none of its own. */
export function completeStartup(packet: Buffer, user: string, options: string | undefined): Buffer {
  const texts = packet.toString("utf8", 8, packet.length - 2).split("\0");
  const parameters = new Map<string, string>();
  for (let index = 0; index < texts.length; index += 2) parameters.set(texts[index] ?? "", texts[index + 1] ?? "");
  parameters.set("user", user);
  if (options !== undefined && !parameters.has("options")) parameters.set("options", options);
  const completed = Buffer.from(`\0\0\0\0\0\0\0\0${[...parameters].flat().join("\0")}\0\0`);
  completed.writeInt32BE(completed.length);
  packet.copy(completed, 4, 4, 8);
  return completed;
}

export function passwordMessage(password: string): Buffer {
  const message = Buffer.from(`p\0\0\0\0${password}\0`);
  message.writeInt32BE(message.length - 1, 1);
  return message;
}

/** Cuts what a server sends into messages, each with its first byte and its length. */
export class MessageReader {
  /** What has come after the last whole message. */
  rest: Buffer = Buffer.alloc(0);

  *read(chunk: Buffer): Generator<Buffer> {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 5) {
      const length = this.rest.readUInt32BE(1);
      if (length < 4 || length > longestMessage) throw new Error("the server does not speak the protocol of Postgres");
      if (this.rest.length <= length) return;
      const message = this.rest.subarray(0, length + 1);
      this.rest = this.rest.subarray(length + 1);
      yield message;
    }
  }
}

/** The fields of an ErrorResponse, under the names that postgres.js gives them. */
const fieldNames: Readonly<Record<string, string>> = {
  S: "severity_local",
  V: "severity",
  C: "code",
  M: "message",
  D: "detail",
  H: "hint",
  P: "position",
  p: "internal_position",
  q: "internal_query",
  W: "where",
  s: "schema_name",
  t: "table_name",
  c: "column_name",
  d: "data type_name",
  n: "constraint_name",
  F: "file",
  L: "line",
  R: "routine",
};

export function errorFields(message: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const field of message.toString("utf8", 5).split("\0")) {
    const name = fieldNames[field.charAt(0)];
    if (name) fields[name] = field.slice(1);
  }
  return fields;
}

/**
 * Passes a session's bytes on in whole messages, so that the end of the session never leaves the driver in the middle of
 * one, and keeps the error back with which a server ends it.
 */
export class WholeMessages {
  /** The fields of the error with which the server ended the session. */
  fatal: Readonly<Record<string, string>> | undefined;
  /** What the server is ready for: `I`, or `T` or `E` in a transaction. Of the last time that it was. */
  status = 0x49;
  #begun: Buffer[] = [];
  /** Bytes that the begun message lacks; 0 while its length is not known. */
  #missing = 0;

  /** @returns the messages that are whole now, as few pieces as their bytes came in. */
  take(chunk: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    let bytes = chunk;
    if (this.#missing > 0) {
      if (chunk.length < this.#missing) {
        this.#begun.push(chunk);
        this.#missing -= chunk.length;
        return pieces;
      }
      this.#pass(Buffer.concat([...this.#begun, chunk.subarray(0, this.#missing)]), pieces);
      bytes = chunk.subarray(this.#missing);
    } else if (this.#begun.length > 0) bytes = Buffer.concat([...this.#begun, chunk]);
    const rest = bytes.subarray(this.#pass(bytes, pieces));
    this.#begun = rest.length > 0 ? [rest] : [];
    this.#missing = rest.length >= 5 ? rest.readUInt32BE(1) + 1 - rest.length : 0;
    return pieces;
  }

  /** Adds the whole messages at the beginning of the bytes, and tells where they end. */
  #pass(bytes: Buffer, pieces: Buffer[]): number {
    let end = 0;
    let next = 0;
    for (; bytes.length >= end + 5; end = next) {
      next = end + bytes.readUInt32BE(end + 1) + 1;
      if (next > bytes.length || this.fatal) break;
      const type = bytes[end];
      if (type === readyForQuery) this.status = bytes[end + 5] ?? 0;
      else if (type === errorResponse) {
        const fields = errorFields(bytes.subarray(end, next));
        if (/^(?:FATAL|PANIC)$/.test(fields.severity ?? fields.severity_local ?? "")) this.fatal = fields;
        if (this.fatal) break;
      }
    }
    if (end > 0) pieces.push(bytes.subarray(0, end));
    return this.fatal ? bytes.length : end;
  }
}

/** What a server says of its process; it is the id of the session as postgres.js knows it. */
export function processId(message: Buffer): number | undefined {
  return message[0] === backendKeyData ? message.readUInt32BE(5) : undefined;
}
