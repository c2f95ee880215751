import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { MovableClock } from "../clock.ts";
import { createFaultList, type FaultHandle } from "../fault-list.ts";
import type { ServerIdentity } from "../server-identity.ts";
import { type Answer, ApiError, invalid, notFound, OAuthError } from "./api-error.ts";
import { type ApiFault, playApiFault } from "./api-faults.ts";
import { basicCredentials } from "./oauth/client-authentication.ts";
import { covers } from "./oauth/scopes.ts";
import { type RequestRecord, redact } from "./request-record.ts";
import { type Route, type RouteContext, routes } from "./routes.ts";

const LARGEST_BODY_BYTES = 1024 * 1024;

/** The REST API of the workspace, over HTTPS. */
export interface WorkspaceApi {
  port: number;
  requests: RequestRecord[];
  /** Handshakes that did not complete. */
  readonly tlsFailed: number;
  fault(fault: ApiFault): FaultHandle;
  clearFaults(): void;
  close(): Promise<void>;
}

export interface WorkspaceOptions {
  port: number;
  identity: ServerIdentity;
  clock: MovableClock;
  context: RouteContext;
  /** Everything that must not stand in a record. */
  secrets: () => string[];
}

export async function openWorkspace(options: WorkspaceOptions): Promise<WorkspaceApi> {
  const { clock, context, identity } = options;
  const requests: RequestRecord[] = [];
  const faults = createFaultList<ApiFault>();
  const connections = new Set<Socket>();
  const rawSockets = new WeakMap<object, Socket>();
  let tlsFailed = 0;

  const http = createHttpServer((request, response) => {
    handle(request, response).catch((error: Error) => {
      response.destroy(error);
    });
  });
  // The handshake is ours and not https.Server's, since the certificate is chosen anew for each connection.
  const server = createServer({ noDelay: true }, (raw) => {
    connections.add(raw);
    raw.on("error", () => raw.destroy());
    raw.once("close", () => connections.delete(raw));
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: identity.context(),
      ALPNProtocols: ["http/1.1"],
    });
    let secured = false;
    rawSockets.set(socket, raw);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      if (!secured) tlsFailed += 1;
      raw.destroy();
    });
    socket.once("secure", () => {
      secured = true;
      http.emit("connection", socket);
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    request.on("error", () => {});
    response.on("error", () => {});
    // Clients measure their own clock against this header, so it has to move with the rest.
    response.setHeader("date", new Date(clock.now()).toUTCString());
    const url = new URL(request.url ?? "/", "https://workspace");
    const route = findRoute(request.method, url.pathname);
    const record: RequestRecord = {
      at: new Date(clock.now()),
      operation: route?.operation ?? "unknown",
      method: request.method ?? "",
      path: redact(`${url.pathname}${url.search}`, options.secrets()),
      userAgent: request.headers["user-agent"],
      headers: recordedHeaders(request.headers),
      body: "",
      status: undefined,
    };
    requests.push(record);
    response.once("finish", () => {
      record.status = response.statusCode;
    });
    const body = await readBody(request);
    if (body === undefined) return send(response, tooLarge.answer);
    record.body = redact(body, options.secrets());

    const { operation } = record;
    const fault = faults.take(
      ({ on = "any", path = "/" }) => (on === "any" || on === operation) && url.pathname.startsWith(path),
    );
    const playing = {
      clock,
      response,
      signal: gone.signal,
      reset: () => void rawSockets.get(request.socket)?.resetAndDestroy(),
    };
    const outcome = fault ? await playApiFault(fault, playing) : true;
    if (!outcome) return;
    const given = await answer(request, url, route, body);
    send(response, outcome === true ? given : { ...given, body: outcome(given.body as Record<string, unknown>) });
  }

  async function answer(request: IncomingMessage, url: URL, route: Route | undefined, body: string): Promise<Answer> {
    try {
      if (!route) throw new ApiError(404, "ENDPOINT_NOT_FOUND", `No API found for '${request.method} ${url.pathname}'`);
      const subject = route.open ? "" : await admit(request.headers, route);
      const parts = (route.path.exec(url.pathname) ?? []).slice(1).map((part = "") => decodeURIComponent(part));
      return await route.answer({ subject, parts, query: url.searchParams, headers: request.headers, body }, context);
    } catch (error) {
      if (error instanceof ApiError || error instanceof OAuthError) return error.answer;
      return new ApiError(500, "INTERNAL_ERROR", (error as Error).message).answer;
    }
  }

  /** Who may use a route, by the bearer token and by its scopes. */
  async function admit(headers: IncomingMessage["headers"], route: Route): Promise<string> {
    if (context.unified) requireWorkspace(headers["x-databricks-workspace-id"]);
    const { subject, scopes } = await authenticate(headers.authorization);
    const wanted = route.scopes ?? [];
    if (!covers(scopes, wanted)) {
      throw new ApiError(403, "PERMISSION_DENIED", `Provided OAuth token does not have required scopes: ${wanted[0]}`);
    }
    context.permissions.require(subject, route.operation);
    return subject;
  }

  function requireWorkspace(workspaceId: string | string[] | undefined): void {
    if (!workspaceId) throw invalid("the header X-Databricks-Workspace-Id is required on this host");
    if (workspaceId !== context.workspaceId) throw notFound("workspace");
  }

  async function authenticate(
    authorization: string | undefined,
  ): Promise<{ subject: string; scopes: readonly string[] }> {
    const bearer = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
    if (!bearer) throw new ApiError(401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type");
    const person = context.directory.personOf(bearer);
    if (person) return { subject: person, scopes: ["all-apis"] };
    const verdict = await context.tokens.verify(bearer, "workspace");
    if (verdict.kind === "valid") return verdict.token;
    throw new ApiError(
      401,
      "UNAUTHENTICATED",
      verdict.kind === "expired" ? "Access token expired" : "Invalid access token",
    );
  }

  function recordedHeaders(headers: IncomingMessage["headers"]): Record<string, string> {
    const secrets = options.secrets();
    const { authorization, ...rest } = headers;
    const entries = Object.entries(rest).map(([name, value]) => [name, redact(String(value), secrets)] as const);
    return {
      ...Object.fromEntries(entries),
      ...(authorization !== undefined && { authorization: describeAuthorization(authorization) }),
    };
  }

  function describeAuthorization(authorization: string): string {
    const [scheme = "", secret = ""] = authorization.split(" ");
    const basic = basicCredentials(authorization);
    if (basic) return `${scheme} ${basic[0]}`;
    const person = context.directory.personOf(secret);
    return `${scheme} ${context.tokens.identify(secret) ?? (person ? `personal access token of ${person}` : "unknown")}`;
  }

  server.listen({ port: options.port, host: "127.0.0.1" });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    get tlsFailed() {
      return tlsFailed;
    },
    fault: faults.add,
    clearFaults: faults.clear,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      http.closeAllConnections();
      for (const raw of connections) raw.destroy();
      await closed;
    },
  };
}

const tooLarge = new ApiError(413, "BAD_REQUEST", `the body is larger than ${LARGEST_BODY_BYTES} bytes`);

function findRoute(method: string | undefined, path: string): Route | undefined {
  return routes.find((route) => route.method === method && route.path.test(path));
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > LARGEST_BODY_BYTES) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}
