import { inspect } from "node:util";
import {
  azureManagedIdentity,
  clientCredentials,
  createLakebase,
  githubOidc,
  type LakebaseOptions,
} from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { ProxyAgent, fetch as proxiedFetch } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rejection } from "../contract/world.ts";
import { type ConnectProxy, openConnectProxy } from "../stand-ins/connect-proxy.ts";
import { openGithubOidc } from "../stand-ins/github-oidc.ts";
import { openImds } from "../stand-ins/imds.ts";

const login = { user: "shop", password: "proxy-password-canary" };
let local: LocalLakebase;
let proxy: ConnectProxy;
const agents: ProxyAgent[] = [];

beforeAll(async () => {
  [local, proxy] = await Promise.all([startLocalLakebase({ log: () => {} }), openConnectProxy(login)]);
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.destroy()));
  await proxy[Symbol.asyncDispose]();
  await local.close();
});

/** As the documentation says it: a `fetch` that goes through the proxy, and trusts a private CA. */
function through(uri: string, ca = [local.ca]): typeof fetch {
  const dispatcher = new ProxyAgent({ uri, requestTls: { ca } });
  agents.push(dispatcher);
  const send = (url: URL, init: object) => proxiedFetch(url, { ...init, dispatcher });
  return send as unknown as typeof fetch;
}

const withLogin = ({ user, password } = login) => proxy.url.replace("//", `//${user}:${password}@`);
const hostOf = (url: string) => new URL(url).host;

function options(fetch: typeof globalThis.fetch, more: LakebaseOptions = {}): LakebaseOptions {
  const { servicePrincipal: auth } = local;
  const { LAKEBASE_WORKSPACE_CA: _replaced, PGHOST: _asked, ...env } = local.env;
  return {
    env,
    clock: local.clock,
    auth: clientCredentials({ clientId: auth.clientId, clientSecret: auth.clientSecret }),
    workspaceHost: local.workspaceUrl,
    fetch,
    ...more,
  };
}

test("every call to the workspace goes through the proxy, and Postgres does not", async () => {
  const before = { tunnels: proxy.tunnels.length, requests: local.requests.length };
  const pool = lakebasePool({ ...options(through(withLogin())), max: 1 });
  const { rows } = await pool.query("select current_user::text as me");
  expect(rows).toEqual([{ me: local.servicePrincipal.clientId }]);
  await pool.end();
  expect(new Set(proxy.tunnels.slice(before.tunnels))).toEqual(new Set([hostOf(local.workspaceUrl)]));
  const operations = local.requests.slice(before.requests).map(({ operation }) => operation);
  expect(operations.sort()).toEqual(["credential", "discovery", "endpoint", "token"]);
});

test("GitHub's token is fetched through the proxy too", async () => {
  const github = await openGithubOidc(local.clock.now);
  const { clientId } = local.servicePrincipal;
  const { issuer, subject, keys } = github;
  const trust = local.trustIssuer({ issuer, keys, servicePrincipal: { clientId, subject } });
  const before = proxy.tunnels.length;
  const fetch = through(withLogin(), [local.ca, github.ca]);
  const lakebase = createLakebase(
    options(fetch, { auth: githubOidc({ clientId }), env: { ...local.env, ...github.env, LAKEBASE_WORKSPACE_CA: "" } }),
  );
  await lakebase.warmup();
  await lakebase.close();
  expect(new Set(proxy.tunnels.slice(before))).toEqual(new Set([hostOf(github.url), hostOf(local.workspaceUrl)]));
  trust.remove();
  await github[Symbol.asyncDispose]();
});

test("the metadata service of the machine is asked past the proxy", async () => {
  const { clientId } = local.servicePrincipal;
  const imds = await openImds(local.clock.now, () => local.issueWorkspaceToken(clientId));
  imds.assigned.add(clientId);
  const auth = azureManagedIdentity({ endpoint: imds.endpoint });
  const lakebase = createLakebase(options(through(withLogin()), { auth }));
  await lakebase.warmup();
  await lakebase.close();
  expect(imds.requests).toHaveLength(1);
  expect(proxy.tunnels).not.toContain(hostOf(imds.url));
  await imds[Symbol.asyncDispose]();
});

test.each<[string, () => typeof fetch, string, RegExp]>([
  [
    "refuses the password",
    () => through(withLogin({ user: "shop", password: "wrong-proxy-password" })),
    "UNAVAILABLE",
    /OAuth discovery to 127\.0\.0\.1:\d+ failed/,
  ],
  ["wants a password", () => through(proxy.url), "UNAVAILABLE", /OAuth discovery .* failed/],
  ["is not there", () => through("http://shop:proxy-password-canary@127.0.0.1:1"), "UNAVAILABLE", /ECONNREFUSED/],
  ["leads to a workspace that is not trusted", () => through(withLogin(), []), "TLS", /certificate/],
])("a proxy that %s is told without its password", async (_name, open, code, message) => {
  const events: unknown[] = [];
  const lakebase = createLakebase(options(open(), { connectTimeoutMs: 500, onEvent: (event) => events.push(event) }));
  const error = await rejection(lakebase.warmup());
  await lakebase.close();
  expect({ code: error.code, message: error.message }).toEqual({
    code: `ERR_LAKEBASE_${code}`,
    message: expect.stringMatching(message),
  });
  const said = inspect([error, events, lakebase], { depth: 9, showHidden: true }) + JSON.stringify([error, events]);
  const basic = Buffer.from(`${login.user}:${login.password}`).toString("base64");
  expect([login.password, "wrong-proxy-password", basic].filter((secret) => said.includes(secret))).toEqual([]);
});
