import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Compute } from "../compute.ts";
import { type HostNames, type HostRoute, localhostRoute } from "../host-names.ts";
import { authenticate, dialBackend, PostgresError } from "../postgres/backend.ts";
import type { Backend, Cluster } from "../postgres/cluster.ts";
import type { RoleRegister } from "../roles.ts";
import type { TokenOffice, TokenVerdict } from "../tokens.ts";
import {
  int32,
  message,
  ProtocolViolation,
  parseErrorResponse,
  parseStartup,
  readClientMessage,
  readServerMessage,
  type ServerError,
} from "../wire.ts";
import type { LoginPhase } from "./login-faults.ts";
import type { ConnectionCounts, LoginRecord } from "./login-record.ts";
import { type Refusal, refusalBytes, refusalError } from "./refusal.ts";
import { settleIn } from "./session.ts";

const PROTOCOL_MAJOR = 3;

export interface LoginContext {
  hosts: HostNames;
  roles: RoleRegister;
  tokens: TokenOffice;
  compute: Compute;
  counts: ConnectionCounts;
  cluster: Cluster;
  allowMissingSni: boolean;
}

/** One login from the startup packet to the first ReadyForQuery. */
export interface LoginAttempt {
  client: TLSSocket;
  packet: Buffer;
  record: LoginRecord;
  signal: AbortSignal;
  /** Plays the faults that wait at a phase; false when one of them has ended the login. */
  passes(phase: LoginPhase): Promise<boolean>;
  /** Sends an error, closes, and notes both in the record. */
  refuse(bytes: Buffer, error: ServerError): void;
}

/** What a startup packet and the name in TLS say, before anything is checked. */
export function openRecord(packet: Buffer, client: TLSSocket, hosts: HostNames, at: Date): LoginRecord {
  const startup = parseStartup(packet);
  const host = typeof client.servername === "string" && client.servername ? client.servername : undefined;
  const route = host === undefined ? localhostRoute : hosts.route(host);
  return {
    at,
    host,
    product: route?.product ?? (host?.startsWith("instance-") ? "provisioned" : "autoscaling"),
    user: startup.user ?? "",
    database: startup.database || (startup.user ?? ""),
    applicationName: startup.application_name,
    startup,
    tls: client.getProtocol() ?? undefined,
    passwordBytes: 0,
    outcome: "pending",
  };
}

/** @returns the backend of a login that was accepted; otherwise the client has its answer */
export async function logIn(
  attempt: LoginAttempt,
  context: LoginContext,
): Promise<{ stream: Socket; home: Backend; processId: number } | undefined> {
  const { client, record, packet } = attempt;
  const refuse = (refusal: Refusal, exp?: number) => {
    const error = refusalError(refusal, record.product, { user: record.user, ...(exp !== undefined && { exp }) });
    attempt.refuse(refusalBytes(error), error);
    return undefined;
  };
  if (packet.readUInt16BE(4) !== PROTOCOL_MAJOR) throw new ProtocolViolation("unsupported frontend protocol");
  if (!record.user) throw new ProtocolViolation("no PostgreSQL user name specified in startup packet");
  if (!(await attempt.passes("startup"))) return undefined;
  if (record.host === undefined && !context.allowMissingSni) return refuse("no-sni");
  const route = record.host === undefined ? localhostRoute : context.hosts.route(record.host);
  if (!route) return refuse("unknown-host");

  const role = await context.roles.login(record.user);
  let passwordOfRole: string | undefined;
  if (role.kind !== "password") {
    const password = await askForPassword(attempt, context.counts);
    if (password === undefined || !(await attempt.passes("password"))) return undefined;
    const verdict = await context.tokens.verify(password, "credential");
    const refusal = judge(verdict, route, record.user, role.kind);
    const tokenId = context.tokens.identify(password);
    if (tokenId) record.tokenId = tokenId;
    if (refusal) return refuse(refusal, verdict.kind === "expired" ? verdict.exp : undefined);
    if (role.kind === "token") passwordOfRole = await role.password();
  }

  if (context.compute.arrive() === "starting-up") return refuse("starting-up");
  await context.compute.awake(attempt.signal);
  if (attempt.signal.aborted) return undefined;

  const { primary, replica } = context.cluster;
  const home = route.readOnly && replica ? await replica().catch(() => undefined) : primary;
  const backend = home && (await dialBackend(home.address).catch(() => undefined));
  if (!backend) return refuse("compute-unreachable");
  // Also long after the login: the client of a session may go without a word.
  attempt.signal.addEventListener("abort", () => backend.destroy());
  const startup = route.readOnly && !replica ? readOnlyStartup(packet) : packet;
  try {
    if (passwordOfRole === undefined) {
      if (!(await relayAuthentication(attempt, backend, startup))) return giveUp(backend);
    } else {
      client.write(await authenticate(backend, startup, { user: record.user, password: passwordOfRole }));
    }
    const settled = await settleIn(client, backend);
    if (settled === "gone") return giveUp(backend);
    if (typeof settled === "number") return { stream: backend, home, processId: settled };
    attempt.refuse(settled.error, parseErrorResponse(settled.error.subarray(5)));
    return giveUp(backend);
  } catch (error) {
    backend.destroy();
    if (!(error instanceof PostgresError)) throw error;
    attempt.refuse(error.bytes, error.response);
    return undefined;
  }
}

function giveUp(backend: Socket): undefined {
  backend.destroy();
}

async function askForPassword(attempt: LoginAttempt, counts: ConnectionCounts): Promise<string | undefined> {
  attempt.client.write(message("R", int32(3)));
  const reply = await readClientMessage(attempt.client);
  if (!reply) return undefined;
  if (reply.type !== "p") throw new ProtocolViolation(`expected password response, got message type "${reply.type}"`);
  const end = reply.body.indexOf(0);
  const bytes = end < 0 ? reply.body : reply.body.subarray(0, end);
  attempt.record.passwordBytes += bytes.length;
  counts.passwordBytes += bytes.length;
  return bytes.toString("utf8");
}

/** The one place where a token is looked at: afterwards the session lives on, whatever becomes of the token. */
function judge(verdict: TokenVerdict, route: HostRoute, user: string, role: "token" | "unknown"): Refusal | undefined {
  if (route.pooled) return "pooled-token";
  switch (verdict.kind) {
    case "not-a-token":
      return "not-a-token";
    case "expired":
      return "token-expired";
    case "rejected":
      return "token-rejected";
    case "valid":
      if (role === "unknown") return "unknown-role";
      return verdict.token.subject === user ? undefined : "token-rejected";
  }
}

/** A role with a password: Postgres asks and judges, the front carries the messages. */
async function relayAuthentication(attempt: LoginAttempt, backend: Socket, startup: Buffer): Promise<boolean> {
  const { client } = attempt;
  let asked = 0;
  backend.write(startup);
  for (;;) {
    const request = await readServerMessage(backend);
    if (!request) return false;
    if (request.type === "E") {
      attempt.refuse(request.bytes, parseErrorResponse(request.body));
      return false;
    }
    client.write(request.bytes);
    if (request.type !== "R") continue;
    const code = request.body.readUInt32BE();
    if (code === 0) return true;
    // AuthenticationSASLFinal is the one request that wants no answer.
    if (code === 12) continue;
    const reply = await readClientMessage(client);
    if (!reply) return false;
    if (asked++ === 0 && !(await attempt.passes("password"))) return false;
    backend.write(reply.bytes);
  }
}

/** The same startup packet with one more server option, for a server that has no replica. */
function readOnlyStartup(packet: Buffer): Buffer {
  const { options, ...rest } = parseStartup(packet);
  const readOnly = "-c default_transaction_read_only=on";
  const parameters = { ...rest, options: options ? `${options} ${readOnly}` : readOnly };
  const body = Buffer.from(`${Object.entries(parameters).flat().join("\0")}\0\0`);
  return Buffer.concat([int32(body.length + 8), packet.subarray(4, 8), body]);
}
