import type { FullClock } from "./clock.ts";
import { errorChain } from "./error-chain.ts";
import { LakebaseError, type LakebaseErrorCode } from "./errors.ts";
import { parseHttpDate, parseRetryAfter } from "./expiry.ts";
import { oauthRefusal } from "./identity/oauth-refusals.ts";
import { trustBeside } from "./tls.ts";
import { packageVersion } from "./version.ts";
import type { WorkspaceRequest, WorkspaceResponse } from "./workspace-auth.ts";

/** What every request of one handle has in common. */
export interface HttpSettings {
  readonly clock: FullClock;
  readonly userAgent: string;
  /** PEM certificates trusted beside Node's own roots. */
  readonly extraCa: readonly string[] | undefined;
  readonly fetch: typeof fetch | undefined;
}

/** How every call names itself, the application first. */
export function userAgentOf(applicationName: string): string {
  return `${applicationName} x-lakebase/${packageVersion} node/${process.versions.node}`;
}

export interface HttpCall {
  /** Names the request in errors: "credential request". */
  readonly purpose: string;
  /** Ends everything from dialling to the last byte of the body. */
  readonly signal: AbortSignal;
  /** `false` lets the process end while the answer is outstanding. */
  readonly holdProcess: boolean;
}

/** An answer as it came, whatever its status. */
export interface RawResponse {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: string;
}

/** Answers are a few kilobytes, and a page of a hundred projects about a hundred; anything near this is not one of them. */
const maxBodyBytes = 256 * 1024;

/**
 * Sends one HTTPS request and answers its JSON. TLS is verified, redirects are refused, the body is bounded, and nothing
 * that the server wrote is quoted in an error.
 *
 * @throws LakebaseError of the class of the failure, with `retryable` set.
 */
export async function sendRequest(
  request: WorkspaceRequest,
  call: HttpCall,
  settings: HttpSettings,
): Promise<WorkspaceResponse> {
  return readJson(await sendForAnswer(request, call, settings), request, call, settings);
}

/**
 * {@link sendRequest} for those who read the answer themselves, refusals included.
 *
 * @throws LakebaseError of the class of the failure where there is no answer.
 */
export async function sendForAnswer(
  request: WorkspaceRequest,
  call: HttpCall,
  settings: HttpSettings,
): Promise<RawResponse> {
  const url = new URL(request.url);
  const where = placeOf(request, call);
  if (url.protocol !== "https:" && !(request.plainHttp && isMetadataService(url))) {
    throw new LakebaseError(
      "ERR_LAKEBASE_TLS",
      `${where} refused: ${url.protocol}// is not https, and a secret would be sent`,
    );
  }
  // A metadata service is on this machine's own link: no proxy reaches it.
  const send = settings.fetch && url.protocol === "https:" ? sendByFetch : sendByNode;
  const headers = {
    accept: "application/json",
    "user-agent": settings.userAgent,
    ...request.headers,
    ...(request.body === undefined ? {} : { "content-length": String(Buffer.byteLength(request.body)) }),
  };
  try {
    return await send(url, { ...request, headers }, call, settings);
  } catch (error) {
    if (error instanceof LakebaseError) throw error;
    if (call.signal.aborted) throw call.signal.reason;
    throw networkError(error, where);
  }
}

type Send = (
  url: URL,
  request: WorkspaceRequest & { readonly headers: Record<string, string> },
  call: HttpCall,
  settings: HttpSettings,
) => Promise<RawResponse>;

/** `node:https` starts 13 ms faster than `fetch` in a fresh process, and takes certificates of its own. */
const sendByNode: Send = async (url, request, call, settings) => {
  const { request: open } = url.protocol === "http:" ? await import("node:http") : await import("node:https");
  const secureContext = settings.extraCa && (await trustBeside(settings.extraCa));
  return new Promise<RawResponse>((resolve, reject) => {
    const outgoing = open(
      url,
      {
        method: request.method,
        headers: request.headers,
        // A connection of its own: one call an hour gains nothing from keep-alive, and a stale socket would lose it.
        agent: false,
        rejectUnauthorized: true,
        minVersion: "TLSv1.2",
        signal: call.signal,
        ...(secureContext ? { secureContext } : {}),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBodyBytes) outgoing.destroy(tooLarge(call.purpose));
          else chunks.push(chunk);
        });
        incoming.on("error", reject);
        incoming.on("end", () => {
          resolve({
            status: incoming.statusCode ?? 0,
            header: (name) => headerText(incoming.headers[name]),
            body: Buffer.concat(chunks).toString("utf8"),
          });
        });
      },
    );
    if (!call.holdProcess) outgoing.on("socket", (socket) => socket.unref());
    outgoing.on("error", reject);
    outgoing.end(request.body);
  });
};

const sendByFetch: Send = async (url, request, call, settings) => {
  const { fetch = globalThis.fetch } = settings;
  const { "content-length": _length, ...headers } = request.headers;
  const response = await fetch(url, {
    method: request.method,
    headers,
    redirect: "manual",
    signal: call.signal,
    ...(request.body === undefined ? {} : { body: request.body }),
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBodyBytes) throw tooLarge(call.purpose);
    chunks.push(chunk);
  }
  const header = (name: string) => response.headers.get(name) ?? undefined;
  // What only looks like an answer fails here, as one that could not be got.
  header("date");
  return {
    status: response.status,
    header,
    body: Buffer.concat(chunks).toString("utf8"),
  };
};

/** Where a cloud's metadata service answers: on the link, or through a local agent. Nothing there leaves the machine. */
function isMetadataService({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && /^(?:169\.254\.\d+\.\d+|127\.0\.0\.1|localhost|\[::1\])$/.test(hostname);
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function tooLarge(purpose: string): LakebaseError {
  return new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", `${purpose}: the answer is larger than ${maxBodyBytes} bytes`);
}

/** What a status means. 500 is retried: minting is safe to repeat. */
function classOfStatus(status: number): { code: LakebaseErrorCode; retryable: boolean; hint: string } {
  if (status === 400)
    return { code: "ERR_LAKEBASE_BAD_REQUEST", retryable: false, hint: "the request was not accepted" };
  if (status === 401) {
    return {
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      retryable: false,
      hint: "the identity was not accepted: check its id and secret or token",
    };
  }
  if (status === 403) {
    return {
      code: "ERR_LAKEBASE_PERMISSION_DENIED",
      retryable: false,
      hint: "the identity may not do this: grant it access to the project or instance in the workspace",
    };
  }
  if (status === 404) {
    return {
      code: "ERR_LAKEBASE_NOT_FOUND",
      retryable: false,
      hint: "there is no such endpoint or instance, or the identity may not see it: check its name, and that it belongs to this workspace",
    };
  }
  if (status === 429) return { code: "ERR_LAKEBASE_RATE_LIMITED", retryable: true, hint: "too many requests" };
  if (status >= 500 && status !== 501)
    return { code: "ERR_LAKEBASE_UNAVAILABLE", retryable: true, hint: "the service failed" };
  if (status >= 300 && status < 400) {
    return {
      code: "ERR_LAKEBASE_BAD_RESPONSE",
      retryable: false,
      hint: "it redirects elsewhere, and secrets do not follow redirects: check the address",
    };
  }
  return { code: "ERR_LAKEBASE_BAD_RESPONSE", retryable: false, hint: "an answer that is not expected" };
}

/**
 * Whether a token was refused for what it may not do, rather than its owner: in Databricks' words (as quoted in
 * https://github.com/databrickslabs/ontos/pull/288) or in those of RFC 6750 section 3.1. The words are looked for, never quoted.
 */
function lacksScope({ status, header }: RawResponse, json: unknown): boolean {
  const { message, error } = Object(json) as Record<string, unknown>;
  const words = [message, error, header("www-authenticate")].filter((word) => typeof word === "string").join(" ");
  return status === 403 && /does not have required scope|insufficient_scope/i.test(words);
}

/** Scopes as the user authorization of Databricks Apps names them: https://github.com/databricks/appkit/issues/515 */
function missingScope({ url }: WorkspaceRequest): ReturnType<typeof classOfStatus> {
  const scope = url.includes("/scim/") ? "iam.current-user:read" : "postgres";
  return {
    code: "ERR_LAKEBASE_MISSING_SCOPE",
    retryable: false,
    hint: `the token was given without the scope \`${scope}\`; add it to the user authorization of the app, or to the OAuth client, and sign in again: tokens keep the scopes that they were given with`,
  };
}

function placeOf({ url }: WorkspaceRequest, { purpose }: HttpCall): string {
  return `${purpose} to ${new URL(url).host}`;
}

/**
 * Reads an answer of {@link sendForAnswer}.
 *
 * @throws LakebaseError of the class of its status, or `ERR_LAKEBASE_BAD_RESPONSE` when it is not JSON.
 */
export function readJson(
  response: RawResponse,
  request: WorkspaceRequest,
  call: HttpCall,
  settings: HttpSettings,
): WorkspaceResponse {
  const where = placeOf(request, call);
  const serverNow = parseHttpDate(response.header("date"));
  const location = response.header("location");
  if (request.redirect && response.status >= 300 && response.status < 400 && location !== undefined) {
    return { json: {}, serverNow, location };
  }
  let json: unknown;
  try {
    json = JSON.parse(response.body);
  } catch {
    json = undefined;
  }
  if (response.status < 200 || response.status > 299) {
    const { code, retryable, hint } = lacksScope(response, json)
      ? missingScope(request)
      : (oauthRefusal(response.status, json) ?? classOfStatus(response.status));
    const retryAfterMs = parseRetryAfter(response.header("retry-after"), serverNow ?? settings.clock.now());
    const told = errorWord(json);
    const advice = retryable ? undefined : request.advice?.(told ?? "", Object(json));
    throw new LakebaseError(
      code,
      `${where} failed: ${advice ?? hint} (HTTP ${response.status}${told ? `, ${told}` : ""})`,
      {
        retryable,
        retryAfterMs: retryable ? retryAfterMs : undefined,
      },
    );
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new LakebaseError(
      "ERR_LAKEBASE_BAD_RESPONSE",
      `${where} was answered with something that is not JSON (${response.body.length} characters): a proxy or a sign-in page may stand in between`,
    );
  }
  return { json: json as Record<string, unknown>, serverNow };
}

/** The machine-readable word of an error body. Its prose is never quoted: it may hold what we sent. */
function errorWord(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { error_code: databricks, error: oauth } = json as Record<string, unknown>;
  for (const word of [databricks, oauth]) {
    if (typeof word === "string" && /^[A-Za-z_]{3,40}$/.test(word)) return word;
  }
  return undefined;
}

/** Certificate errors of Node come in two families of codes. */
const tlsCode =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function networkError(error: unknown, where: string): LakebaseError {
  const chain = errorChain(error) as NodeJS.ErrnoException[];
  const coded = chain.find(({ code }) => typeof code === "string" && /^[A-Z0-9_]+$/.test(code));
  const code = coded?.code ?? "unknown error";
  // Only the system's own error is kept: others quote the header that they did not like, and the token in it.
  const cause = coded && (/^E[A-Z]+$/.test(code) || tlsCode.test(code)) ? coded : undefined;
  if (tlsCode.test(code)) {
    return new LakebaseError(
      "ERR_LAKEBASE_TLS",
      `${where} refused: the certificate of the server could not be verified (${code}); nothing was sent. A private CA can be named with \`workspaceCa\` or LAKEBASE_WORKSPACE_CA`,
      { cause },
    );
  }
  const what = code === "ENOTFOUND" ? "the host name does not resolve" : "the connection failed";
  return new LakebaseError("ERR_LAKEBASE_UNAVAILABLE", `${where} failed: ${what} (${code})`, {
    cause,
    retryable: true,
  });
}
