import { message, readServerMessage, startupPacket } from "../wire.ts";
import { authenticate, type BackendAddress, dialBackend, PostgresError } from "./backend.ts";

/** A superuser's session on the real Postgres, one statement at a time, for set-up and for looking up roles. */
export interface ControlSession {
  /** Runs a statement, or several with `;` between them, and returns the rows as text. */
  query(sql: string): Promise<(string | null)[][]>;
  close(): void;
}

export async function openControlSession(
  address: BackendAddress,
  credentials: { user: string; password: string; database: string },
): Promise<ControlSession> {
  const { user, database } = credentials;
  const socket = await dialBackend(address);
  const startup = startupPacket({ user, database, application_name: "local-lakebase", client_encoding: "UTF8" });
  try {
    await authenticate(socket, startup, credentials);
    await readRows();
  } catch (error) {
    socket.destroy();
    throw error;
  }

  async function readRows(): Promise<(string | null)[][]> {
    const rows: (string | null)[][] = [];
    let failure: PostgresError | undefined;
    for (;;) {
      const reply = await readServerMessage(socket);
      if (!reply) throw failure ?? new Error("Postgres closed the control session");
      if (reply.type === "D") rows.push(parseRow(reply.body));
      if (reply.type === "E") failure ??= new PostgresError(reply);
      if (reply.type === "Z") {
        if (failure) throw failure;
        return rows;
      }
    }
  }

  let last: Promise<unknown> = Promise.resolve();
  return {
    query(sql) {
      const run = async () => {
        socket.write(message("Q", sql));
        return readRows();
      };
      const result = last.then(run, run);
      last = result.catch(() => {});
      return result;
    },
    close: () => socket.destroy(),
  };
}

function parseRow(body: Buffer): (string | null)[] {
  const row: (string | null)[] = [];
  let offset = 2;
  for (let column = body.readUInt16BE(); column > 0; column -= 1) {
    const length = body.readInt32BE(offset);
    offset += 4;
    row.push(length < 0 ? null : body.toString("utf8", offset, offset + length));
    offset += Math.max(length, 0);
  }
  return row;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(value: string): string {
  return value.includes("\\")
    ? ` E'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`
    : `'${value.replaceAll("'", "''")}'`;
}
