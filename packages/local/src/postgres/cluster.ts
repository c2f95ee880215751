import type { BackendAddress } from "./backend.ts";
import { type ControlSession, openControlSession } from "./control.ts";
import type { PostgresServer } from "./server.ts";

/** A Postgres to which the front sends sessions. */
export interface Backend {
  address: BackendAddress;
  /** Ends sessions by 57P01. Postgres does it: only it can put the message where the protocol allows one. */
  terminate(processIds: readonly number[]): Promise<void>;
}

/** The Postgres that writes, and the one that only reads once somebody has asked for it. */
export interface Cluster {
  primary: Backend;
  /** `undefined` when there can be none. */
  replica: (() => Promise<Backend>) | undefined;
  /** Those that run. */
  running(): Backend[];
  close(): void;
}

export function createCluster(server: PostgresServer, control: ControlSession, database: string): Cluster {
  const controls: ControlSession[] = [];
  const primary = backend(server.address, control);
  const running = [primary];
  const { replica } = server;
  let starting: Promise<Backend> | undefined;

  async function start(address: Promise<BackendAddress>): Promise<Backend> {
    const own = await openControlSession(await address, { ...server.superuser, database });
    controls.push(own);
    const started = backend(await address, own);
    running.push(started);
    return started;
  }

  return {
    primary,
    replica:
      replica &&
      (() => {
        starting ??= start(replica());
        return starting;
      }),
    running: () => running,
    close() {
      for (const session of controls) session.close();
    },
  };
}

function backend(address: BackendAddress, control: ControlSession): Backend {
  return {
    address,
    async terminate(processIds) {
      if (processIds.length === 0) return;
      await control.query(`SELECT pg_terminate_backend(id) FROM unnest(ARRAY[${processIds.join(",")}]) AS id`);
    },
  };
}
