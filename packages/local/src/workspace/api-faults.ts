import type { ServerResponse } from "node:http";
import type { MovableClock } from "../clock.ts";
import type { Operation } from "./request-record.ts";

/** What a fault can do to the request that meets it. */
export interface FaultyRequest {
  clock: MovableClock;
  response: ServerResponse;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  /** Cuts the TCP connection with RST. */
  reset(): void;
}

interface StatusOptions {
  status: number;
  /** The `Retry-After` header: seconds, or a text that is sent as it is. */
  retryAfter?: string | number;
  /** A text is sent as it is, anything else as JSON; default: an error in Databricks' shape. */
  body?: unknown;
  /** Default `application/json`. */
  contentType?: string;
}

/** Changes the body of an answer. */
type Change = (body: Record<string, unknown>) => unknown;

/**
 * The kinds of faults and what each does; `true` lets the request be answered, a function lets it be answered otherwise.
 * A new kind is a new entry here, and its options are those of its function.
 */
const kinds = {
  /** Answers with a status and a body of your choice. */
  status({ response }: FaultyRequest, { status, retryAfter, body, contentType }: StatusOptions) {
    const content = body ?? {
      error_code: errorCodes[status] ?? "INTERNAL_ERROR",
      message: "a fault of the local Lakebase",
    };
    response.writeHead(status, {
      "content-type": contentType ?? "application/json",
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    });
    response.end(typeof content === "string" ? content : JSON.stringify(content));
    return false;
  },
  /** Never answers. */
  async hang({ clock, signal }: FaultyRequest, _options: object) {
    await clock.sleep(Number.MAX_SAFE_INTEGER, signal);
    return false;
  },
  /** Cuts the connection with RST. */
  reset(request: FaultyRequest, _options: object) {
    request.reset();
    return false;
  },
  /** Answers after a while of the local clock. */
  async slow({ clock, signal }: FaultyRequest, { delayMs }: { delayMs: number }) {
    await clock.sleep(delayMs, signal);
    return true;
  },
  /** Answers with a changed body. */
  alter: (_request: FaultyRequest, { change }: { change: Change }) => change,
} satisfies Record<string, (request: FaultyRequest, options: never) => Outcome | Promise<Outcome>>;

type Outcome = boolean | Change;

const errorCodes: Record<number, string> = {
  400: "BAD_REQUEST",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "REQUEST_LIMIT_EXCEEDED",
  501: "NOT_IMPLEMENTED",
  503: "TEMPORARILY_UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

type Kinds = typeof kinds;

/** A fault of the workspace API. */
export type ApiFault = {
  [Kind in keyof Kinds]: { kind: Kind } & Parameters<Kinds[Kind]>[1];
}[keyof Kinds] & {
  /** Which requests meet it; default `any`. */
  on?: Operation | "any";
  /** Only those whose path begins so, such as `/.well-known/`. */
  path?: string;
  /** How many requests meet it; default: all. */
  times?: number;
};

/** @returns whether the request is still to be answered, and how its answer is changed */
export async function playApiFault(fault: ApiFault, request: FaultyRequest): Promise<Outcome> {
  const play = kinds[fault.kind] as (request: FaultyRequest, fault: ApiFault) => Outcome | Promise<Outcome>;
  const outcome = await play(request, fault);
  return !request.signal.aborted && outcome;
}
