import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, credential, credentialRequest, openClient, refusal } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

type Listed = { name: string; uid: string; status: Record<string, unknown> };
const get = async (path: string, subject = lakebase.servicePrincipal.clientId) => {
  const headers = { authorization: `Bearer ${await lakebase.issueWorkspaceToken(subject)}` };
  return callWorkspace(lakebase, `/api/2.0/${path}`, { headers });
};
const list = async (path: string, field: string) => (await get(path)).json[field] as Listed[];
const mint = async (product: "postgres" | "database", body: unknown) => {
  const bearer = await lakebase.issueWorkspaceToken(lakebase.servicePrincipal.clientId);
  return callWorkspace(lakebase, `/api/2.0/${product}/credentials`, credentialRequest(bearer, body));
};

test("lists a further project with its branches and endpoints, at whose hosts its owner logs in", async () => {
  const shop = lakebase.addProject({
    id: "shop",
    branches: [
      { id: "production", default: true, endpoints: [{ id: "replica", type: "READ_ONLY" }, { id: "main" }] },
      { id: "staging" },
    ],
  });
  expect(shop.branches.map(({ name }) => name)).toEqual([
    "projects/shop/branches/production",
    "projects/shop/branches/staging",
  ]);
  expect((await list("postgres/projects", "projects")).map(({ name }) => name)).toContain("projects/shop");
  expect(await list("postgres/projects/shop/branches", "branches")).toMatchObject([
    { name: "projects/shop/branches/production", parent: "projects/shop", status: { default: true } },
    { name: "projects/shop/branches/staging", status: { default: false } },
  ]);
  const [replica, main] = shop.branches[0]?.endpoints ?? [];
  expect(await list("postgres/projects/shop/branches/production/endpoints", "endpoints")).toMatchObject([
    {
      name: "projects/shop/branches/production/endpoints/replica",
      uid: replica?.uid,
      status: { endpoint_type: "ENDPOINT_TYPE_READ_ONLY", hosts: { host: replica?.host } },
    },
    {
      name: main?.name,
      uid: main?.uid,
      status: {
        endpoint_id: "main",
        endpoint_type: "ENDPOINT_TYPE_READ_WRITE",
        hosts: { host: main?.host, read_only_host: main?.readOnlyHost },
      },
    },
  ]);
  const { json } = await mint("postgres", { endpoint: main?.name });
  const client = await openClient(lakebase, { host: String(main?.host), password: String(json.token) });
  expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await client.end();
  expect(lakebase.logins.at(-1)).toMatchObject({ host: main?.host, product: "autoscaling" });
  const reader = await openClient(lakebase, { host: String(replica?.host), password: String(json.token) });
  await expect(reader.query("CREATE TABLE t (id int)")).rejects.toMatchObject({ code: "25006" });
  await reader.end();
});

test("adds branches and endpoints to what is there, with the state that the API is to tell", async () => {
  const project = lakebase.addProject();
  const branch = lakebase.addBranch(project.name, { endpoints: [] });
  expect(branch.endpoints).toEqual([]);
  const starting = lakebase.addEndpoint(branch.name, { state: "INIT" });
  lakebase.addEndpoint(branch.name, { state: "DEGRADED" });
  const endpoints = await list(`postgres/${branch.name}/endpoints`, "endpoints");
  expect(endpoints.map(({ status }) => status.current_state)).toEqual(["INIT", "DEGRADED"]);
  expect(endpoints[0]?.status).not.toHaveProperty("hosts");
  expect((await get(`postgres/${starting.name}`)).json.uid).toBe(starting.uid);
  expect(() => lakebase.addProject({ id: project.name.slice("projects/".length) })).toThrow(/exists already/);
  expect(() => lakebase.addBranch("projects/none")).toThrow(TypeError);
  expect(() => lakebase.addEndpoint("projects/none/branches/none")).toThrow(TypeError);
});

test("pages through more projects than a page holds", async () => {
  for (let n = 0; n < 150; n += 1) lakebase.addProject();
  const names: string[] = [];
  let token = "";
  let pages = 0;
  do {
    const { json } = await get(`postgres/projects?page_token=${token}`);
    names.push(...(json.projects as Listed[]).map(({ name }) => name));
    token = (json.next_page_token as string | undefined) ?? "";
    pages += 1;
  } while (token);
  expect(pages).toBe(2);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(150);
});

test("knows an instance by its API only, and an upgraded one by both", async () => {
  const plain = lakebase.addInstance({ name: "ledger", state: "STOPPED" });
  expect(plain.endpoint).toBeUndefined();
  expect((await get("database/instances/ledger")).json).toMatchObject({
    uid: plain.uid,
    state: "STOPPED",
    stopped: true,
  });
  expect((await get("postgres/projects/ledger")).status).toBe(404);

  const upgraded = lakebase.addInstance({ name: "orders", upgraded: true });
  expect(upgraded.endpoint).toBe("projects/orders/branches/production/endpoints/primary");
  const endpoint = (await get(`postgres/${upgraded.endpoint}`)).json as unknown as Listed;
  expect(endpoint.status.hosts).toMatchObject({ host: upgraded.host, read_only_host: upgraded.readOnlyHost });
  const byUid = await get(`database/instances:findByUid?uid=${upgraded.uid}`);
  expect(byUid.json).toMatchObject({ name: "orders", read_write_dns: upgraded.host });
  for (const minted of [
    await mint("database", { instance_names: ["orders"] }),
    await mint("postgres", { endpoint: upgraded.endpoint }),
  ]) {
    const client = await openClient(lakebase, { host: upgraded.host, password: String(minted.json.token) });
    await client.end();
  }
  expect((await mint("database", { instance_names: ["orders", "none"] })).status).toBe(404);
  expect((await mint("postgres", { endpoint: `${upgraded.endpoint}-none` })).status).toBe(404);
});

test("moves an endpoint to a new host and leaves nothing at the old one", async () => {
  const [branch] = lakebase.addProject().branches;
  const before = branch?.endpoints[0];
  const after = lakebase.moveEndpoint(String(before?.name));
  expect(after.name).toBe(before?.name);
  const { json } = await get(`postgres/${after.name}`);
  expect((json.status as { hosts: object }).hosts).toMatchObject({ host: after.host });
  const password = await credential(lakebase);
  await (await openClient(lakebase, { host: after.host, password })).end();
  const refused = await refusal(lakebase, { host: String(before?.host), password });
  expect(refused).not.toHaveProperty("accepted");
  expect(() => lakebase.moveEndpoint("projects/none/branches/none/endpoints/none")).toThrow(TypeError);
});

test("refuses what somebody may not do, and nobody else", async () => {
  const { userName } = lakebase.user;
  const forbidden = lakebase.faults.forbid({ subject: userName, on: ["projects", "instance"] });
  expect(await get("postgres/projects", userName)).toMatchObject({
    status: 403,
    json: { error_code: "PERMISSION_DENIED" },
  });
  expect((await get(`database/instances/${lakebase.instance}`, userName)).status).toBe(403);
  expect((await get("database/instances", userName)).status).toBe(200);
  expect((await get("postgres/projects")).status).toBe(200);
  expect(forbidden.hits).toBe(2);
  forbidden.clear();
  expect((await get("postgres/projects", userName)).status).toBe(200);
  lakebase.faults.forbid({ on: "projects", times: 1 });
  expect([(await get("postgres/projects")).status, (await get("postgres/projects")).status]).toEqual([403, 200]);
  lakebase.faults.forbid({ on: "projects" });
  lakebase.faults.clear();
  expect((await get("postgres/projects")).status).toBe(200);
});

test("gives the variables of a Databricks App, and those of a native role", async () => {
  const { clientId, clientSecret } = lakebase.servicePrincipal;
  expect(lakebase.envFor("apps")).toEqual({
    DATABRICKS_HOST: lakebase.workspaceUrl,
    DATABRICKS_CLIENT_ID: clientId,
    DATABRICKS_CLIENT_SECRET: clientSecret,
    LAKEBASE_WORKSPACE_CA: lakebase.caFile,
    PGHOST: lakebase.host,
    PGHOSTADDR: "127.0.0.1",
    PGPORT: String(lakebase.port),
    PGDATABASE: "databricks_postgres",
    PGUSER: clientId,
    PGSSLMODE: "require",
    PGSSLROOTCERT: lakebase.caFile,
    PGAPPNAME: "local-app",
  });
  const native = lakebase.envFor("native");
  expect(native).toMatchObject({ PGUSER: lakebase.nativeRole.user, PGPASSWORD: lakebase.nativeRole.password });
  expect(Object.keys(native).filter((name) => !name.startsWith("PG"))).toEqual([]);
});
