import { once } from "node:events";
import { request } from "node:https";
import { connect, Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import pg from "pg";
import type { LocalLakebase } from "../src/index.ts";

export interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: Record<string, unknown>;
}

interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** One request to the workspace API, with the CA as the only trust. */
export function callWorkspace(lakebase: LocalLakebase, path: string, call: Call = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { method = "GET", headers = {}, body } = call;
    const outgoing = request(
      `${lakebase.workspaceUrl}${path}`,
      { method, headers, ca: lakebase.ca, agent: false },
      async (incoming) => {
        let text = "";
        for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
        const isJson = String(incoming.headers["content-type"]).startsWith("application/json");
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text,
          json: isJson && text ? JSON.parse(text) : {},
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

export function tokenRequest(principal: { clientId: string; clientSecret: string }): Call {
  const basic = Buffer.from(`${principal.clientId}:${principal.clientSecret}`).toString("base64");
  return {
    method: "POST",
    headers: { authorization: `Basic ${basic}`, "content-type": "application/x-www-form-urlencoded" },
    body: "grant_type=client_credentials&scope=all-apis",
  };
}

export async function workspaceToken(lakebase: LocalLakebase, principal = lakebase.servicePrincipal): Promise<string> {
  const { json } = await callWorkspace(lakebase, "/oidc/v1/token", tokenRequest(principal));
  return String(json.access_token);
}

export function credentialRequest(bearer: string, body: unknown): Call {
  return {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}

/** A database credential, by default of the project's owner. */
export async function credential(lakebase: LocalLakebase, bearer?: string): Promise<string> {
  const call = credentialRequest(bearer ?? (await workspaceToken(lakebase)), { endpoint: lakebase.endpoint });
  const { json } = await callWorkspace(lakebase, "/api/2.0/postgres/credentials", call);
  return String(json.token);
}

/** A pg client that dials the loopback address and asks for the host's name in TLS. */
export function createClient(lakebase: LocalLakebase, options: pg.ClientConfig = {}): pg.Client {
  const client = new pg.Client({
    host: lakebase.host,
    port: lakebase.port,
    user: lakebase.servicePrincipal.clientId,
    database: lakebase.database,
    ssl: { ca: lakebase.ca },
    stream: () => {
      const socket = new Socket();
      const dial = socket.connect.bind(socket) as (port: number, host: string) => Socket;
      socket.connect = ((port: number) => dial(port, lakebase.hostAddress)) as typeof socket.connect;
      return socket;
    },
    ...options,
  });
  client.on("error", () => {});
  return client;
}

export async function openClient(lakebase: LocalLakebase, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = createClient(lakebase, options);
  await client.connect();
  return client;
}

/** What a refused login says. */
export async function refusal(lakebase: LocalLakebase, options: pg.ClientConfig): Promise<Record<string, unknown>> {
  const client = createClient(lakebase, options);
  try {
    await client.connect();
  } catch (error) {
    const { code, severity, message } = error as pg.DatabaseError;
    return { code, severity, message };
  }
  await client.end();
  return { accepted: true };
}

export async function openRaw(lakebase: LocalLakebase): Promise<Socket> {
  const socket = connect({ host: lakebase.hostAddress, port: lakebase.port });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

export function startTls(lakebase: LocalLakebase, socket: Socket, options: object = {}): TLSSocket {
  const secured = connectTls({ socket, ca: lakebase.ca, servername: lakebase.host, ...options });
  secured.on("error", () => {});
  return secured;
}

/** All that the other side sends until it closes. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  if (!socket.closed) await once(socket, "close");
  return Buffer.concat(chunks);
}

export function int32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, index * 4);
  return bytes;
}

export const sslRequest = int32(8, 80_877_103);

export function startup(parameters: Record<string, string>): Buffer {
  const body = Buffer.from(`${Object.entries(parameters).flat().join("\0")}\0\0`);
  return Buffer.concat([int32(body.length + 8, 196_608), body]);
}

/** Waits for a state that another process brings about. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error("it did not come to pass within ten seconds");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
