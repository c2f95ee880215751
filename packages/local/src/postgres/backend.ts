import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  int32,
  type Message,
  message,
  ProtocolViolation,
  parseErrorResponse,
  readServerMessage,
  type ServerError,
} from "../wire.ts";
import { startScram } from "./scram.ts";

/** Where the real Postgres listens. */
export type BackendAddress = { path: string } | { host: string; port: number };

/** The real Postgres said no. */
export class PostgresError extends Error {
  override name = "PostgresError";
  readonly code: string;
  readonly response: ServerError;
  /** The ErrorResponse as it came. */
  readonly bytes: Buffer;
  constructor(reply: Message) {
    const response = parseErrorResponse(reply.body);
    super(response.message);
    this.response = response;
    this.code = response.sqlState;
    this.bytes = reply.bytes;
  }
}

/** Opens a connection to the real Postgres. Its errors have a listener: they show as the end of the stream. */
export async function dialBackend(address: BackendAddress): Promise<Socket> {
  const socket = connect({ ...address, noDelay: true } as Parameters<typeof connect>[0] & object);
  await once(socket, "connect");
  socket.on("error", () => socket.destroy());
  return socket;
}

/**
 * Sends a startup packet and answers whatever Postgres asks with the password.
 *
 * Returns AuthenticationOk as it came, with what stood before it and a client has to see (NegotiateProtocolVersion).
 */
export async function authenticate(
  backend: Socket,
  startup: Buffer,
  credentials: { user: string; password: string },
): Promise<Buffer> {
  const { user, password } = credentials;
  const passing: Buffer[] = [];
  let scram: ReturnType<typeof startScram> | undefined;
  backend.write(startup);
  for (;;) {
    const reply = await readServerMessage(backend);
    if (!reply) throw new ProtocolViolation("Postgres closed the connection during the login");
    if (reply.type === "E") throw new PostgresError(reply);
    if (reply.type !== "R") {
      passing.push(reply.bytes);
      continue;
    }
    const rest = reply.body.subarray(4);
    switch (reply.body.readUInt32BE()) {
      case 0:
        return Buffer.concat([...passing, reply.bytes]);
      case 3:
        backend.write(message("p", password));
        break;
      case 5:
        backend.write(message("p", `md5${md5(Buffer.from(md5(Buffer.from(password + user))), rest)}`));
        break;
      case 10:
        scram = startScram(password);
        backend.write(message("p", "SCRAM-SHA-256", int32(Buffer.byteLength(scram.first)), Buffer.from(scram.first)));
        break;
      case 11:
        if (!scram) throw new ProtocolViolation("Postgres continued a SCRAM exchange that had not begun");
        backend.write(message("p", Buffer.from(await scram.final(rest.toString()))));
        break;
      case 12:
        scram?.verify(rest.toString());
        break;
      default:
        throw new Error(
          `Postgres asks for an authentication that the local Lakebase does not know (${reply.body.readUInt32BE()})`,
        );
    }
  }
}

function md5(...parts: Buffer[]): string {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}
