import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Backend } from "../postgres/cluster.ts";
import { readServerMessage } from "../wire.ts";

/** A client and a backend that talk to each other; the front only carries the bytes. */
export interface Session {
  /** The Postgres that serves it, and the process id there. */
  home: Backend;
  processId: number;
  reset(): void;
  destroy(): void;
}

/**
 * Passes the backend's first messages on until it is ready for queries.
 *
 * @returns the process id, or the error with which Postgres refused after all (a missing database, no slot left)
 */
export async function settleIn(client: TLSSocket, backend: Socket): Promise<number | "gone" | { error: Buffer }> {
  let processId = 0;
  for (;;) {
    const reply = await readServerMessage(backend);
    if (!reply) return "gone";
    if (reply.type === "E") return { error: reply.bytes };
    if (reply.type === "K") processId = reply.body.readUInt32BE();
    client.write(reply.bytes);
    if (reply.type === "Z") return processId;
  }
}

/** Joins the two streams. pipe() stops reading one side while the other does not take any more. */
export function splice(
  raw: Socket,
  client: TLSSocket,
  { stream: backend, home, processId }: { stream: Socket; home: Backend; processId: number },
): Session {
  client.pipe(backend);
  backend.pipe(client);
  backend.once("close", () => client.end());
  return {
    home,
    processId,
    reset() {
      backend.destroy();
      raw.resetAndDestroy();
      client.destroy();
    },
    destroy() {
      backend.destroy();
      client.destroy();
      raw.destroy();
    },
  };
}
