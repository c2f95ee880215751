import { createLakebase, tokenExchange } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rejection } from "../contract/world.ts";

let local: LocalLakebase;
beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {}, hostKind: "unified" });
});
afterAll(() => local.close());

const tokenPaths = () => local.requests.filter(({ operation }) => operation === "token").map(({ path }) => path);

test("a host that several workspaces share: the same program connects by the environment alone", async () => {
  const pool = lakebasePool({ env: local.env, clock: local.clock, max: 1 });
  const { rows } = await pool.query("select current_user::text as me");
  expect(rows).toEqual([{ me: local.servicePrincipal.clientId }]);
  expect(tokenPaths()).toEqual([`/oidc/accounts/${local.accountId}/v1/token`]);
  await pool.end();
});

test("a host that several workspaces share exchanges tokens at the account", async () => {
  const { clientId } = local.servicePrincipal;
  const lakebase = createLakebase({
    env: local.env,
    clock: local.clock,
    auth: tokenExchange({ clientId, subjectToken: () => local.issueSubjectToken() }),
    workspaceHost: local.workspaceUrl,
    workspaceId: local.workspaceId,
    workspaceCa: local.ca,
  });
  await lakebase.warmup();
  expect(new Set(tokenPaths())).toEqual(new Set([`/oidc/accounts/${local.accountId}/v1/token`]));
  await lakebase.close();
});

test("a host that several workspaces share refuses whoever does not say which one is meant", async () => {
  const { DATABRICKS_WORKSPACE_ID: _left, ...env } = local.env;
  const lakebase = createLakebase({ env, clock: local.clock });
  expect(await rejection(lakebase.warmup())).toMatchObject({ code: expect.stringMatching(/^ERR_LAKEBASE_/) });
  await lakebase.close();
});
