import type { TokenOffice } from "../tokens.ts";
import { type Answer, ApiError, invalid, notFound } from "./api-error.ts";
import type { Resources } from "./resources/resources.ts";

const SHORTEST_SECONDS = 300;
const LONGEST_SECONDS = 3600;

export interface CredentialContext {
  tokens: TokenOffice;
  resources: Resources;
  tokenLifeSeconds: number;
  now: () => number;
}

export interface CredentialRequest {
  subject: string;
  body: Record<string, unknown>;
}

/** `POST /api/2.0/postgres/credentials`: Autoscaling. */
export async function mintForEndpoint(request: CredentialRequest, context: CredentialContext): Promise<Answer> {
  const { endpoint } = request.body;
  if (typeof endpoint !== "string" || !endpoint) throw invalid("endpoint is required");
  if (!/^projects\/[^/]+\/branches\/[^/]+\/endpoints\/[^/]+$/.test(endpoint)) {
    throw invalid(
      `endpoint must look like projects/{project}/branches/{branch}/endpoints/{endpoint}, not "${endpoint}"`,
    );
  }
  if (!context.resources.endpoint(endpoint)) throw notFound("endpoint id");
  const life = Math.min(requestedLife(request.body, context.now()), context.tokenLifeSeconds);
  const { token, issued } = await context.tokens.issue("credential", request.subject, life);
  return { status: 200, body: { token, expire_time: timestamp(issued.expiresAt, context.tokens.issued.length) } };
}

/** `POST /api/2.0/database/credentials`: Provisioned. */
export async function mintForInstance(request: CredentialRequest, context: CredentialContext): Promise<Answer> {
  const { instance_names: names, claims } = request.body;
  if (!isFilled(names) && !isFilled(claims)) throw invalid("at least one of instance_names and claims is required");
  const unknown = (isFilled(names) ? names : []).find((name) => !context.resources.instance(String(name)));
  if (unknown !== undefined) throw notFound(`Database instance '${String(unknown)}'`);
  const { token, issued } = await context.tokens.issue("credential", request.subject, context.tokenLifeSeconds);
  return { status: 200, body: { token, expiration_time: timestamp(issued.expiresAt, context.tokens.issued.length) } };
}

function isFilled(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length > 0;
}

function requestedLife({ ttl, expire_time: expireTime }: Record<string, unknown>, now: number): number {
  if (ttl !== undefined && expireTime !== undefined) throw invalid("ttl and expire_time exclude each other");
  if (ttl !== undefined) {
    const seconds = typeof ttl === "string" ? /^(\d+(?:\.\d{1,9})?)s$/.exec(ttl)?.[1] : undefined;
    if (seconds === undefined) throw new ApiError(400, "BAD_REQUEST", 'ttl must be a duration such as "900s"');
    return withinBounds("ttl", Number(seconds));
  }
  if (expireTime === undefined) return LONGEST_SECONDS;
  const at = typeof expireTime === "string" ? Date.parse(expireTime) : Number.NaN;
  if (Number.isNaN(at)) throw new ApiError(400, "BAD_REQUEST", "expire_time must be an RFC 3339 timestamp");
  return withinBounds("expire_time", (at - now) / 1000);
}

function withinBounds(field: string, seconds: number): number {
  if (seconds < SHORTEST_SECONDS || seconds > LONGEST_SECONDS) {
    throw invalid(`${field} must be between ${SHORTEST_SECONDS} and ${LONGEST_SECONDS} seconds ahead`);
  }
  return seconds;
}

/** RFC 3339 as protobuf writes it: with 0, 3, 6 or 9 digits of a second; each in turn, so that clients meet them all. */
function timestamp(date: Date, turn: number): string {
  const [whole] = date.toISOString().split(".");
  return `${whole}${["", ".000", ".000000", ".000000000"][turn % 4]}Z`;
}
