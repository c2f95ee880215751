import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, credential, credentialRequest, tokenRequest, workspaceToken } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

const endpoints = "/api/2.0/postgres/credentials";
const instances = "/api/2.0/database/credentials";
const get = async (path: string, bearer?: string) =>
  callWorkspace(lakebase, path, { headers: { authorization: `Bearer ${bearer ?? (await workspaceToken(lakebase))}` } });
const mint = async (path: string, body: unknown) =>
  callWorkspace(lakebase, path, credentialRequest(await workspaceToken(lakebase), body));

test("discovers the token endpoint, over TLS that the CA vouches for", async () => {
  const config = await callWorkspace(lakebase, "/.well-known/databricks-config");
  expect(config.json).toMatchObject({ oidc_endpoint: `${lakebase.workspaceUrl}/oidc`, cloud: "AWS" });
  const server = await callWorkspace(lakebase, "/oidc/.well-known/oauth-authorization-server");
  expect(server.json.token_endpoint).toBe(`${lakebase.workspaceUrl}/oidc/v1/token`);
});

test("grants a workspace token for the right client secret, by header or by form", async () => {
  const byHeader = await callWorkspace(lakebase, "/oidc/v1/token", tokenRequest(lakebase.servicePrincipal));
  expect(byHeader.json).toMatchObject({ token_type: "Bearer", expires_in: 3600, scope: "all-apis" });
  const { clientId, clientSecret } = lakebase.servicePrincipal;
  const byForm = await callWorkspace(lakebase, "/oidc/v1/token", {
    ...tokenRequest(lakebase.servicePrincipal),
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: `grant_type=client_credentials&scope=all-apis&client_id=${clientId}&client_secret=${clientSecret}`,
  });
  expect(byForm.status).toBe(200);
  expect(lakebase.requests.at(-1)?.body).toContain("client_secret=[redacted]");
});

test.each([
  ["a wrong secret", { secret: "wrong" }, 401, "invalid_client"],
  ["a JSON body", { type: "application/json" }, 400, "invalid_request"],
  ["no scope", { body: "grant_type=client_credentials" }, 400, "invalid_scope"],
  ["another grant", { body: "grant_type=password&scope=all-apis" }, 400, "unsupported_grant_type"],
])("refuses a token for %s", async (_name, change, status, error) => {
  const { clientId, clientSecret } = lakebase.servicePrincipal;
  const { secret = clientSecret, type, body } = change as { secret?: string; type?: string; body?: string };
  const call = tokenRequest({ clientId, clientSecret: secret });
  const reply = await callWorkspace(lakebase, "/oidc/v1/token", {
    ...call,
    headers: { ...call.headers, ...(type && { "content-type": type }) },
    body: body ?? String(call.body),
  });
  expect(reply).toMatchObject({ status, json: { error } });
});

test("names the expiry of a credential as each product does", async () => {
  const autoscaling = await mint(endpoints, { endpoint: lakebase.endpoint });
  expect(Object.keys(autoscaling.json).sort()).toEqual(["expire_time", "token"]);
  const provisioned = await mint(instances, { instance_names: [lakebase.instance], request_id: "1" });
  expect(Object.keys(provisioned.json).sort()).toEqual(["expiration_time", "token"]);
  const { exp, sub } = JSON.parse(
    Buffer.from(String(autoscaling.json.token).split(".")[1] ?? "", "base64url").toString(),
  );
  expect(sub).toBe(lakebase.servicePrincipal.clientId);
  expect(Date.parse(String(autoscaling.json.expire_time))).toBe(exp * 1000);
  expect(exp * 1000 - lakebase.clock.now()).toBeGreaterThan(3_590_000);
  expect(lakebase.issued.at(-1)).toMatchObject({ kind: "credential", subject: lakebase.servicePrincipal.clientId });
});

test("writes seconds with 0, 3, 6 and 9 digits of fraction in turn", async () => {
  const bearer = await workspaceToken(lakebase);
  const lengths = new Set<number>();
  for (let turn = 0; turn < 4; turn += 1) {
    const { json } = await callWorkspace(
      lakebase,
      endpoints,
      credentialRequest(bearer, { endpoint: lakebase.endpoint }),
    );
    lengths.add(String(json.expire_time).length);
  }
  expect([...lengths].sort()).toEqual([20, 24, 27, 30]);
});

test.each([
  ["no endpoint", endpoints, () => ({}), 400, "INVALID_PARAMETER_VALUE"],
  ["an unknown endpoint", endpoints, () => ({ endpoint: "projects/a/branches/b/endpoints/c" }), 404, "NOT_FOUND"],
  [
    "the ep- uid of the host instead of the id",
    endpoints,
    () => ({ endpoint: lakebase.endpoint.replace(/[^/]+$/, lakebase.host.split(".")[0] ?? "") }),
    404,
    "NOT_FOUND",
  ],
  [
    "a ttl below 300 s",
    endpoints,
    () => ({ endpoint: lakebase.endpoint, ttl: "299s" }),
    400,
    "INVALID_PARAMETER_VALUE",
  ],
  [
    "a ttl above 3600 s",
    endpoints,
    () => ({ endpoint: lakebase.endpoint, ttl: "3601s" }),
    400,
    "INVALID_PARAMETER_VALUE",
  ],
  ["a ttl that is no duration", endpoints, () => ({ endpoint: lakebase.endpoint, ttl: 900 }), 400, "BAD_REQUEST"],
  ["neither instance nor claims", instances, () => ({ request_id: "1" }), 400, "INVALID_PARAMETER_VALUE"],
  ["an unknown instance", instances, () => ({ instance_names: ["other"] }), 404, "NOT_FOUND"],
])("refuses a credential for %s", async (_name, path, body, status, errorCode) => {
  const reply = await mint(path, body());
  expect(reply).toMatchObject({ status, json: { error_code: errorCode } });
  if (status === 404) expect(reply.json.message).toMatch(/not found \[TraceId: [0-9a-f-]{36}\]$/);
});

test("shortens a credential to the ttl that was asked for", async () => {
  const { json } = await mint(endpoints, { endpoint: lakebase.endpoint, ttl: "900s" });
  const left = Date.parse(String(json.expire_time)) - lakebase.clock.now();
  expect(left).toBeGreaterThan(890_000);
  expect(left).toBeLessThanOrEqual(901_000);
});

test("takes a personal access token as bearer, for the person behind it", async () => {
  const { userName, personalAccessToken } = lakebase.user;
  expect((await get("/api/2.0/preview/scim/v2/Me", personalAccessToken)).json.userName).toBe(userName);
  await credential(lakebase, personalAccessToken);
  expect(lakebase.issued.at(-1)?.subject).toBe(userName);
});

test("refuses an unknown bearer, an expired one and none", async () => {
  const bearer = await workspaceToken(lakebase);
  expect(await get("/api/2.0/preview/scim/v2/Me", "unknown")).toMatchObject({ status: 401 });
  expect(await callWorkspace(lakebase, "/api/2.0/preview/scim/v2/Me")).toMatchObject({ status: 401 });
  expect(await get("/api/2.0/preview/scim/v2/Me", bearer)).toMatchObject({ status: 200 });
  lakebase.clock.advance(3_601_000);
  expect(await get("/api/2.0/preview/scim/v2/Me", bearer)).toMatchObject({
    status: 401,
    json: { error_code: "UNAUTHENTICATED" },
  });
});

test("refuses a credential as bearer and a revoked workspace token", async () => {
  expect((await get("/api/2.0/preview/scim/v2/Me", await credential(lakebase))).status).toBe(401);
  const bearer = await workspaceToken(lakebase);
  lakebase.revokeAll("workspace");
  expect((await get("/api/2.0/preview/scim/v2/Me", bearer)).status).toBe(401);
});

test("shows the endpoint with its hosts and the instance with its names", async () => {
  const endpoint = await get(`/api/2.0/postgres/${lakebase.endpoint}`);
  expect(endpoint.json).toMatchObject({
    name: lakebase.endpoint,
    uid: lakebase.host.split(".")[0],
    status: {
      current_state: "ACTIVE",
      endpoint_type: "ENDPOINT_TYPE_READ_WRITE",
      hosts: {
        host: lakebase.host,
        read_only_host: lakebase.readOnlyHost,
        read_write_pooled_host: lakebase.pooledHost,
      },
    },
  });
  const instance = await get(`/api/2.0/database/instances/${lakebase.instance}`);
  expect(instance.json).toMatchObject({ read_write_dns: lakebase.instanceHost, pg_version: "PG_VERSION_17" });
  const byUid = await get(`/api/2.0/database/instances:findByUid?uid=${instance.json.uid}`);
  expect(byUid.json.name).toBe(lakebase.instance);
  expect((await get("/api/2.0/database/instances/other")).status).toBe(404);
  expect((await get("/api/2.0/elsewhere")).json.error_code).toBe("ENDPOINT_NOT_FOUND");
});

test("lists from the project down to the endpoints, in pages", async () => {
  const projects = (await get("/api/2.0/postgres/projects")).json.projects as { name: string }[];
  const branches = (await get(`/api/2.0/postgres/${projects[0]?.name}/branches`)).json.branches as { name: string }[];
  const path = `/api/2.0/postgres/${branches[0]?.name}/endpoints`;
  const first = await get(`${path}?page_size=1`);
  expect(first.json.endpoints).toMatchObject([{ name: lakebase.endpoint }]);
  const second = await get(`${path}?page_size=1&page_token=${first.json.next_page_token}`);
  expect(second.json.endpoints).toMatchObject([{ status: { endpoint_type: "ENDPOINT_TYPE_READ_ONLY" } }]);
  expect(second.json.next_page_token).toBeUndefined();
  expect((await get(`${path}?page_size=101`)).status).toBe(400);
  expect((await get("/api/2.0/database/instances")).json.database_instances).toMatchObject([
    { name: lakebase.instance },
  ]);
});

test("records a request with its User-Agent and without its secrets", async () => {
  const bearer = await workspaceToken(lakebase);
  const call = credentialRequest(bearer, { endpoint: lakebase.endpoint });
  await callWorkspace(lakebase, endpoints, {
    ...call,
    headers: { ...call.headers, "user-agent": "acme/1.0", "x-forwarded-access-token": bearer },
  });
  const record = lakebase.requests.at(-1);
  const tokenId = lakebase.issued.filter(({ kind }) => kind === "workspace").at(-1)?.id;
  expect(record).toMatchObject({
    operation: "credential",
    method: "POST",
    path: endpoints,
    userAgent: "acme/1.0",
    status: 200,
    headers: { authorization: `Bearer ${tokenId}` },
  });
  const everything = JSON.stringify(lakebase.requests);
  expect(lakebase.secrets().filter((secret) => everything.includes(secret))).toEqual([]);
  expect(lakebase.secrets()).toContain(bearer);
});
