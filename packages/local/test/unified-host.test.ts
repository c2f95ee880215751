import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, tokenRequest } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {}, hostKind: "unified" });
});
afterAll(() => lakebase?.close());

test("leads to the authorization server of the account, by a template, and has none of its own", async () => {
  const { json } = await callWorkspace(lakebase, "/.well-known/databricks-config");
  expect(json).toMatchObject({
    oidc_endpoint: `${lakebase.workspaceUrl}/oidc/accounts/{account_id}`,
    account_id: lakebase.accountId,
    host_type: "unified",
  });
  expect(json).not.toHaveProperty("workspace_id");
  for (const path of ["/oidc/.well-known/oauth-authorization-server"]) {
    expect((await callWorkspace(lakebase, path)).status).toBe(404);
  }
  const classic = await callWorkspace(lakebase, "/oidc/v1/token", tokenRequest(lakebase.servicePrincipal));
  expect(classic.status).toBe(404);
});

test("wants the workspace's id with every call, and records it", async () => {
  const path = `/oidc/accounts/${lakebase.accountId}/v1/token`;
  const { json } = await callWorkspace(lakebase, path, tokenRequest(lakebase.servicePrincipal));
  const me = (headers: Record<string, string>) =>
    callWorkspace(lakebase, "/api/2.0/preview/scim/v2/Me", {
      headers: { authorization: `Bearer ${json.access_token}`, ...headers },
    });
  expect((await me({})).json.message).toMatch(/X-Databricks-Workspace-Id is required/);
  expect((await me({ "x-databricks-workspace-id": "1" })).status).toBe(404);
  expect((await me({ "x-databricks-workspace-id": lakebase.workspaceId })).status).toBe(200);
  expect(lakebase.requests.at(-1)?.headers["x-databricks-workspace-id"]).toBe(lakebase.workspaceId);
  expect(lakebase.env).toMatchObject({
    DATABRICKS_WORKSPACE_ID: lakebase.workspaceId,
    DATABRICKS_ACCOUNT_ID: lakebase.accountId,
  });
});
