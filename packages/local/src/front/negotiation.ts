import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { CANCEL_REQUEST, GSS_REQUEST, ProtocolViolation, readBytes, readStartupPacket, SSL_REQUEST } from "../wire.ts";

/** What a client that has connected turns out to want. */
export type Arrival =
  | { kind: "secured"; socket: TLSSocket }
  | { kind: "plaintext" }
  | { kind: "cancel"; packet: Buffer }
  | { kind: "tls-failed" }
  | { kind: "gone" };

const TLS_HANDSHAKE_RECORD = 0x16;
const PROTOCOL_NAME = "postgresql";

/** Up to the end of the TLS handshake: GSSENCRequest, SSLRequest, direct TLS, a request to cancel, or clear text. */
export async function negotiate(
  raw: Socket,
  options: { context: () => SecureContext; beforeTls: () => Promise<boolean> },
): Promise<Arrival> {
  const first = await readBytes(raw, 1);
  if (!first) return { kind: "gone" };
  raw.unshift(first);
  if (first[0] === TLS_HANDSHAKE_RECORD) {
    if (!(await options.beforeTls())) return { kind: "gone" };
    return secure(raw, options.context(), "direct");
  }
  // A client may ask for GSSAPI encryption and then for TLS, once each.
  for (let requests = 0; requests < 3; requests += 1) {
    const packet = await readStartupPacket(raw);
    if (!packet) return { kind: "gone" };
    switch (packet.readUInt32BE(4)) {
      case GSS_REQUEST:
        raw.write("N");
        break;
      case SSL_REQUEST:
        // Bytes that were sent in clear text behind the request would be taken for bytes from inside TLS (CVE-2021-23222).
        if (raw.readableLength > 0) throw new ProtocolViolation("received unencrypted data after SSL request");
        if (!(await options.beforeTls())) return { kind: "gone" };
        raw.write("S");
        return secure(raw, options.context(), "requested");
      case CANCEL_REQUEST:
        return { kind: "cancel", packet };
      default:
        return { kind: "plaintext" };
    }
  }
  throw new ProtocolViolation("too many requests before the startup packet");
}

function secure(raw: Socket, secureContext: SecureContext, way: "direct" | "requested"): Promise<Arrival> {
  return new Promise((resolve) => {
    const socket = new TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols: [PROTOCOL_NAME] });
    const fail = () => {
      socket.destroy();
      raw.destroy();
      resolve({ kind: "tls-failed" });
    };
    socket.once("error", fail);
    socket.once("close", fail);
    raw.once("close", fail);
    socket.once("secure", () => {
      // Postgres 17 lets a client skip the SSLRequest only when it names the protocol in the handshake.
      if (way === "direct" && socket.alpnProtocol !== PROTOCOL_NAME) return fail();
      socket.on("error", () => socket.destroy());
      socket.removeListener("error", fail);
      socket.removeListener("close", fail);
      raw.removeListener("close", fail);
      resolve({ kind: "secured", socket });
    });
  });
}
