import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAuthority } from "../../packages/local/src/certificate.ts";

export interface StandInRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface StandInAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. */
  readonly body: unknown;
}

/** What goes wrong with a request, instead of an answer. */
export type StandInFault = "hang" | "cut" | StandInAnswer;

/** Another party on loopback, as far as a login needs it. */
export interface StandInServer extends AsyncDisposable {
  /** `https://127.0.0.1:…`, or `http://…` for the metadata service of a cloud. */
  readonly url: string;
  /** PEM, for those who shall trust it. */
  readonly ca: string;
  readonly requests: readonly StandInRequest[];
  /** Meets every request while it is set. */
  fault: StandInFault | undefined;
}

/** A sign-in page or a proxy where JSON was expected. */
export const garbage: StandInAnswer = {
  status: 200,
  headers: { "content-type": "text/html" },
  body: "<!doctype html><title>Sign in</title>",
};

export async function openStandIn(
  answer: (request: StandInRequest) => StandInAnswer | Promise<StandInAnswer>,
  {
    plainHttp = false,
    now = Date.now,
  }: {
    plainHttp?: boolean;
    /** Its clock, which its answers tell. */
    now?: () => number;
  } = {},
): Promise<StandInServer> {
  const requests: StandInRequest[] = [];
  const authority = createAuthority("Stand-in CA");
  const standIn = { fault: undefined as StandInFault | undefined };
  const listener: RequestListener = async (incoming, response) => {
    const url = new URL(incoming.url ?? "/", "http://stand-in");
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const request = {
      method: incoming.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString("utf8"),
    };
    requests.push(request);
    const { fault } = standIn;
    if (fault === "hang") return;
    if (fault === "cut") incoming.socket.destroy();
    else send(response, fault ?? (await answer(request)), now());
  };
  const server = plainHttp
    ? createServer(listener)
    : createTlsServer(authority.issue({ names: ["127.0.0.1"] }), listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Object.assign(standIn, {
    url: `${plainHttp ? "http" : "https"}://127.0.0.1:${port}`,
    ca: authority.pem,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  });
}

function send(response: ServerResponse, { status, headers, body }: StandInAnswer, now: number): void {
  response.writeHead(status, { "content-type": "application/json", date: new Date(now).toUTCString(), ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}
