import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { MovableClock } from "../clock.ts";
import { createFaultList, type FaultHandle } from "../fault-list.ts";
import { type BackendAddress, dialBackend } from "../postgres/backend.ts";
import type { ServerIdentity } from "../server-identity.ts";
import { CANCEL_REQUEST, errorResponse, ProtocolViolation, readStartupPacket, type ServerError } from "../wire.ts";
import { type LoginContext, logIn, openRecord } from "./login.ts";
import { type LoginFault, type LoginPhase, playLoginFault } from "./login-faults.ts";
import type { ConnectionCounts, LoginRecord } from "./login-record.ts";
import { negotiate } from "./negotiation.ts";
import { plaintextError } from "./refusal.ts";
import { type Session, splice } from "./session.ts";

/** As Postgres's own authentication_timeout: who has not logged in by then is cut off. */
const LOGIN_TIMEOUT_MS = 60_000;

/** The port that clients of Postgres dial: TLS, tokens, then the real Postgres. */
export interface LoginFront {
  port: number;
  logins: LoginRecord[];
  sessions: ReadonlySet<Session>;
  fault(fault: LoginFault): FaultHandle;
  clearFaults(): void;
  close(): Promise<void>;
}

export interface FrontOptions extends Omit<LoginContext, "counts"> {
  port: number;
  identity: ServerIdentity;
  clock: MovableClock;
  counts: ConnectionCounts;
}

export async function openFront(options: FrontOptions): Promise<LoginFront> {
  const { clock, compute, counts, identity } = options;
  const logins: LoginRecord[] = [];
  const sessions = new Set<Session>();
  const connections = new Set<Socket>();
  const faults = createFaultList<LoginFault>();

  const server = createServer({ noDelay: true, keepAlive: true }, (raw) => {
    counts.accepted += 1;
    connections.add(raw);
    const gone = new AbortController();
    raw.on("error", () => raw.destroy());
    raw.once("close", () => {
      connections.delete(raw);
      gone.abort();
    });
    const late = setTimeout(() => raw.destroy(), LOGIN_TIMEOUT_MS);
    late.unref();
    receive(raw, gone)
      .catch((error: Error) => {
        if (!(error instanceof ProtocolViolation)) raw.destroy();
        else closeWith(raw, errorResponse({ severity: "FATAL", sqlState: "08P01", message: error.message }));
      })
      .finally(() => clearTimeout(late));
  });

  /** Plays the fault that waits at a phase. */
  function passing(raw: Socket, current: Duplex, signal: AbortSignal, record?: LoginRecord) {
    return async (phase: LoginPhase): Promise<boolean> => {
      const fault = faults.take((candidate) => (candidate.phase ?? "password") === phase);
      if (!fault) return true;
      const stopWatching = watchForEnd(current);
      try {
        return await playLoginFault(fault, {
          clock,
          signal,
          refuse: (bytes, error) => refuse(current, bytes, error, record),
          reset: () => raw.resetAndDestroy(),
        });
      } finally {
        stopWatching();
      }
    };
  }

  async function receive(raw: Socket, gone: AbortController): Promise<void> {
    const { signal } = gone;
    if (compute.arrive() === "refuse") return void raw.destroy();
    const passes = passing(raw, raw, signal);
    if (!(await passes("accept"))) return;
    const arrival = await negotiate(raw, {
      context: () => identity.context(),
      beforeTls: () => passes("ssl-request"),
    });
    switch (arrival.kind) {
      case "secured":
        arrival.socket.once("close", () => {
          raw.destroy();
          gone.abort();
        });
        try {
          return await serve(raw, arrival.socket, signal);
        } catch (error) {
          if (!(error instanceof ProtocolViolation)) throw error;
          const violation = { severity: "FATAL", sqlState: "08P01", message: error.message };
          return closeWith(arrival.socket, errorResponse(violation));
        }
      case "cancel":
        return forwardCancel(raw, arrival.packet);
      case "plaintext":
        counts.plaintextRefused += 1;
        return closeWith(raw, errorResponse(plaintextError));
      case "tls-failed":
        counts.tlsFailed += 1;
        return;
      case "gone":
        if (signal.aborted || raw.readableEnded) raw.destroy();
        return;
    }
  }

  async function serve(raw: Socket, client: TLSSocket, signal: AbortSignal): Promise<void> {
    const packet = await readStartupPacket(client);
    if (!packet) return void client.destroy();
    if (packet.readUInt32BE(4) === CANCEL_REQUEST) return forwardCancel(client, packet);
    const record = openRecord(packet, client, options.hosts, new Date(clock.now()));
    logins.push(record);
    const stopWatching = watchForEnd(client);
    try {
      const login = await logIn(
        {
          client,
          packet,
          record,
          signal,
          passes: passing(raw, client, signal, record),
          refuse: (bytes, error) => refuse(client, bytes, error, record),
        },
        options,
      );
      if (login && signal.aborted) login.stream.destroy();
      else if (login) {
        record.outcome = "accepted";
        stopWatching();
        const session = splice(raw, client, login);
        sessions.add(session);
        client.once("close", () => sessions.delete(session));
        if (client.destroyed) sessions.delete(session);
      } else if (record.outcome === "pending") {
        client.destroy();
      }
    } finally {
      stopWatching();
      if (record.outcome === "pending") record.outcome = "dropped";
    }
  }

  async function forwardCancel(client: Duplex, packet: Buffer): Promise<void> {
    counts.cancelRequests += 1;
    // Without a name in TLS nobody knows whose it is; the key in it fits one session only.
    await Promise.all(options.cluster.running().map(({ address }) => passOn(address, packet)));
    client.end();
    client.resume();
  }

  server.listen({ port: options.port, host: "127.0.0.1" });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    logins,
    sessions,
    fault: faults.add,
    clearFaults: faults.clear,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const session of sessions) session.destroy();
      for (const raw of connections) raw.destroy();
      await closed;
    },
  };
}

async function passOn(address: BackendAddress, cancelRequest: Buffer): Promise<void> {
  const backend = await dialBackend(address).catch(() => undefined);
  if (!backend) return;
  backend.end(cancelRequest);
  backend.resume();
  // Postgres closes when it has passed the request on, and only then may the client know.
  await once(backend, "close");
}

function refuse(client: Duplex, bytes: Buffer, error: ServerError, record: LoginRecord | undefined): void {
  if (record) {
    record.outcome = "refused";
    record.sqlState = error.sqlState;
    record.message = error.message;
  }
  closeWith(client, bytes);
}

function closeWith(client: Duplex, bytes: Buffer): void {
  client.end(bytes);
  // Nobody reads any more, and without reading the other side's end would go unseen.
  client.resume();
}

/** Notices that the other side has gone while nothing is read: the end of a stream shows only to a reader. */
function watchForEnd(stream: Duplex): () => void {
  const look = () => {
    if (stream.readableLength === 0) stream.read(0);
  };
  stream.on("readable", look);
  return () => void stream.removeListener("readable", look);
}
