import { FakeClock, settle } from "./fake-clock.ts";

export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export type Answer = (request: SentRequest) => Response | Promise<Response>;

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers });
export const failure = (status: number, headers: Record<string, string> = {}): Response =>
  json({ error_code: "SOME_CODE", message: "prose that must not be quoted" }, status, headers);
/** Never answers, and hears of nothing. */
export const silence: Answer = () => new Promise(() => {});

export const paths = {
  discovery: "/oidc/.well-known/oauth-authorization-server",
  token: "/oidc/v1/token",
  credential: "/api/2.0/postgres/credentials",
  instanceCredential: "/api/2.0/database/credentials",
  endpoint: "/api/2.0/postgres/projects/shop/branches/production/endpoints/primary",
  projects: "/api/2.0/postgres/projects",
  branches: "/api/2.0/postgres/projects/shop/branches",
  endpoints: "/api/2.0/postgres/projects/shop/branches/production/endpoints",
  instance: "/api/2.0/database/instances/shop-db",
  instanceByUid: "/api/2.0/database/instances:findByUid",
  me: "/api/2.0/preview/scim/v2/Me",
} as const;

export const databaseHost = "ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com";

/** The workspace API as an injected `fetch`: good answers, each of which a test may replace. */
export function fakeWorkspace(clock = new FakeClock()) {
  const requests: SentRequest[] = [];
  let serial = 0;
  const expiry = () => new Date(clock.now() + 3_600_000).toISOString();
  const answers: Record<string, Answer> = {
    [paths.discovery]: () => json({ token_endpoint: `https://acme.cloud.databricks.com${paths.token}` }),
    [paths.token]: () => json({ access_token: `workspace-token-${++serial}`, token_type: "Bearer", expires_in: 3600 }),
    [paths.credential]: () => json({ token: `credential-${++serial}`, expire_time: expiry() }),
    [paths.instanceCredential]: () => json({ token: `credential-${++serial}`, expiration_time: expiry() }),
    [paths.endpoint]: () => json({ status: { hosts: { host: databaseHost } } }),
    [paths.instance]: () => json({ read_write_dns: databaseHost }),
    [paths.me]: () => json({ userName: "ada@acme.example" }),
  };
  const send: typeof fetch = async (input, init) => {
    const url = new URL(String(input));
    const request: SentRequest = {
      method: init?.method ?? "GET",
      path: url.pathname,
      url: url.href,
      headers: new Headers(init?.headers),
      body: typeof init?.body === "string" ? init.body : undefined,
      signal: init?.signal ?? undefined,
    };
    requests.push(request);
    const answer = answers[request.path];
    return answer ? answer(request) : failure(404);
  };
  return {
    clock,
    requests,
    answers,
    fetch: send,
    calls: (path: string) => requests.filter((request) => request.path === path).length,
  };
}

/** What a promise has come to, without waiting for it. */
export function watch<T>(promise: Promise<T>) {
  const state = {
    value: undefined as T | undefined,
    error: undefined as unknown,
    settled: false,
    /** Lets everything happen that needs no clock. */
    async now() {
      for (let turn = 0; turn < 50 && !state.settled; turn += 1) await settle();
      return state;
    },
  };
  promise.then(
    (value) => Object.assign(state, { value, settled: true }),
    (error) => Object.assign(state, { error, settled: true }),
  );
  return state;
}
