import { connect } from "node:net";
import { type TLSSocket, connect as upgrade } from "node:tls";
import type { ConnectionSettings } from "../handle.ts";
import { sslRequest } from "./protocol.ts";

/** Where to, and what to verify there. */
export type Route = Pick<ConnectionSettings, "host" | "hostAddress" | "port" | "ssl">;

/**
 * Dials, and speaks verified TLS before anything else. Rejects with the socket's own error, or with the reason of the
 * signal, and leaves no socket then.
 *
 * @param keepAliveMs Idle time before the first probe; 0: no probes.
 */
export function openSecureSocket(
  { host, hostAddress, port, ssl }: Route,
  keepAliveMs: number,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const plain = connect({
      host: hostAddress ?? host,
      port,
      noDelay: true,
      keepAlive: keepAliveMs > 0,
      keepAliveInitialDelay: keepAliveMs,
    });
    let secure: TLSSocket | undefined;
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      for (const socket of [plain, secure]) socket?.removeListener("error", fail).removeListener("close", onClose);
    };
    const fail = (error: unknown) => {
      settle();
      for (const socket of [plain, secure]) socket?.on("error", () => {}).destroy();
      reject(error);
    };
    const onClose = () => fail(closedEarly());
    const onAbort = () => fail(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    plain.once("error", fail).once("close", onClose);
    plain.once("connect", () => plain.write(sslRequest));
    plain.once("data", (answer) => {
      // One byte and no more: what came with it would have come before TLS, from anybody.
      if (answer.toString("latin1") !== "S") return fail(new Error("The server does not support SSL connections"));
      const socket = upgrade({ ...ssl, socket: plain });
      secure = socket;
      socket.once("error", fail).once("close", onClose);
      socket.once("secureConnect", () => {
        settle();
        resolve(socket);
      });
    });
    if (signal.aborted) onAbort();
  });
}

/** The end of a connection before its login was done: what a compute that is not up yet does. */
export function closedEarly(): Error {
  return Object.assign(new Error("the connection was closed before the login was done"), { code: "ECONNRESET" });
}
