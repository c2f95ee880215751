import { describe, expect, test } from "vitest";
import { type Answer, failure, fakeWorkspace, json, paths } from "../../test/fake-workspace.ts";
import { LakebaseError } from "../errors.ts";
import { sendRequest } from "../http.ts";
import { defaultAudience, type OAuthDiscoveryOptions, rememberEndpoints } from "./oauth-endpoints.ts";

const host = "https://acme.cloud.databricks.com";
const accounts = "https://accounts.cloud.databricks.com";
const metadataPath = "/.well-known/databricks-config";
const accountPath = "/oidc/accounts/a-1/.well-known/oauth-authorization-server";

function setUp(answers: Record<string, Answer> = {}, workspaceHost = host) {
  const workspace = fakeWorkspace();
  Object.assign(workspace.answers, answers);
  const settings = { clock: workspace.clock, userAgent: "test", extraCa: undefined, fetch: workspace.fetch };
  const call = { signal: new AbortController().signal, holdProcess: true };
  const context = {
    workspaceHost,
    request: (purpose: string, request: Parameters<typeof sendRequest>[0]) =>
      sendRequest(request, { purpose, ...call }, settings),
  };
  const find = (options: OAuthDiscoveryOptions = {}) => rememberEndpoints(options)(context);
  return {
    ...workspace,
    context,
    find,
    urls: () => workspace.requests.map(({ url }) => url.replace(workspaceHost, "")),
  };
}

const document = (root: string) => () =>
  json({ issuer: root, token_endpoint: `${root}/v1/token`, authorization_endpoint: `${root}/v1/authorize` });
const none: Answer = () => failure(404);

describe("where OAuth is", () => {
  test("is told by the workspace, in one request that is made once", async () => {
    const { context, urls } = setUp();
    const find = rememberEndpoints({});
    const endpoints = await find(context);
    expect(endpoints).toMatchObject({
      tokenEndpoint: `${host}${paths.token}`,
      authorizationEndpoint: `${host}/oidc/v1/authorize`,
      issuer: undefined,
      headers: undefined,
    });
    expect(await find(context)).toBe(endpoints);
    expect(urls()).toEqual([paths.discovery]);
  });

  test("is asked again after a failure, and for each workspace by itself", async () => {
    let fail = true;
    const { context, urls } = setUp({ [paths.discovery]: () => (fail ? failure(503) : document(`${host}/oidc`)()) });
    const find = rememberEndpoints({});
    await expect(find(context)).rejects.toMatchObject({ code: "ERR_LAKEBASE_UNAVAILABLE" });
    fail = false;
    await find(context);
    await find({ ...context, workspaceHost: "https://other.cloud.databricks.com" });
    expect(urls()).toEqual([paths.discovery, paths.discovery, `https://other.cloud.databricks.com${paths.discovery}`]);
  });

  test.each<[string, object, OAuthDiscoveryOptions]>([
    ["as the host tells it", { account_id: "a-1" }, {}],
    ["as it is given", {}, { accountId: "a-1" }],
    ["as it is given, before what the host tells", { account_id: "another" }, { accountId: "a-1" }],
  ])("is at the account on a shared host, %s", async (_name, metadata, options) => {
    const root = `${host}/oidc/accounts/a-1`;
    const { find, urls } = setUp({
      [paths.discovery]: none,
      [metadataPath]: () => json({ oidc_endpoint: `${host}/oidc/accounts/{account_id}/`, ...metadata }),
      [accountPath]: document(root),
    });
    expect(await find(options)).toMatchObject({ tokenEndpoint: `${root}/v1/token`, issuer: root, headers: undefined });
    expect(urls()).toEqual([paths.discovery, metadataPath, accountPath]);
  });

  test.each([["1234567890"], [1_234_567_890]])("comes with the workspace, where the host tells it (%j)", async (id) => {
    const { find } = setUp({
      [paths.discovery]: none,
      [metadataPath]: () => json({ oidc_endpoint: `${host}/oidc/accounts/a-1`, workspace_id: id }),
      [accountPath]: document(`${host}/oidc/accounts/a-1`),
    });
    expect((await find()).headers).toEqual({ "x-databricks-workspace-id": "1234567890" });
  });

  test("has no header of a workspace whose id is none", async () => {
    const { find } = setUp({ [paths.discovery]: none, [metadataPath]: () => json({ workspace_id: "1\r\nx: y" }) });
    expect((await find()).headers).toBeUndefined();
  });

  test("needs the account that nobody names", async () => {
    const { find } = setUp({
      [paths.discovery]: none,
      [metadataPath]: () => json({ oidc_endpoint: `${host}/oidc/accounts/{account_id}` }),
    });
    await expect(find()).rejects.toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(/accountId.*DATABRICKS_ACCOUNT_ID.*several workspaces share/),
    });
  });

  test.each<[string, Answer]>([
    ["tells nothing", none],
    ["refuses to tell", () => failure(403)],
    ["answers a page", () => new Response("<html>")],
    ["tells other things", () => json({ cloud: "AWS" })],
  ])("has classic paths where the host %s", async (_name, answer) => {
    const { find } = setUp({ [paths.discovery]: none, [metadataPath]: answer });
    expect(await find()).toMatchObject({
      tokenEndpoint: `${host}/oidc/v1/token`,
      authorizationEndpoint: `${host}/oidc/v1/authorize`,
    });
  });

  test("is not guessed while the host fails", async () => {
    const { find } = setUp({ [paths.discovery]: none, [metadataPath]: () => failure(503) });
    await expect(find()).rejects.toMatchObject({ code: "ERR_LAKEBASE_UNAVAILABLE" });
  });

  test("is at the account's own host by the account", async () => {
    const root = `${accounts}/oidc/accounts/a-1`;
    const { find, urls } = setUp({ [accountPath]: document(root) }, accounts);
    expect(await find({ accountId: "a-1" })).toMatchObject({ tokenEndpoint: `${root}/v1/token` });
    expect(urls()).toEqual([accountPath]);
  });

  test("is read where it is said to be, and nowhere else", async () => {
    const discoveryUrl = "https://login.acme.example/.well-known/openid-configuration";
    const { find, urls } = setUp({ "/.well-known/openid-configuration": document("https://login.acme.example") });
    expect(await find({ discoveryUrl })).toMatchObject({ tokenEndpoint: "https://login.acme.example/v1/token" });
    expect(urls()).toEqual([discoveryUrl]);
  });

  test.each<[string, OAuthDiscoveryOptions, string, RegExp]>([
    ["is no address", { discoveryUrl: "acme" }, "CONFIG", /discoveryUrl`.*must be an address/],
    ["leads to nothing", { discoveryUrl: "https://acme.example/x" }, "CONFIG", /leads to nothing \(HTTP 404 at acme/],
    ["is not https", { discoveryUrl: "http://acme.example/x" }, "TLS", /http:\/\/ is not https/],
  ])("is refused where what is said %s", async (_name, options, code, message) => {
    const { find } = setUp();
    await expect(find(options)).rejects.toMatchObject({
      code: `ERR_LAKEBASE_${code}`,
      message: expect.stringMatching(message),
    });
  });

  test.each(["token_endpoint", "authorization_endpoint"])("is https alone: %s", async (name) => {
    for (const address of ["http://acme.cloud.databricks.com/x", "ftp://x", "nonsense", 7]) {
      const { find } = setUp({ [paths.discovery]: () => json({ [name]: address }) });
      const error = await find().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(LakebaseError);
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_TLS", message: expect.stringMatching(/that is not https/) });
    }
  });
});

describe("whom a subject token is for", () => {
  const audience = async (answer: Answer, options: OAuthDiscoveryOptions = {}, workspaceHost = host) => {
    const { context } = setUp({ [metadataPath]: answer, [accountPath]: document("https://x.example") }, workspaceHost);
    return defaultAudience(context, options, () => rememberEndpoints(options)(context));
  };

  test("is the first that the host names", async () => {
    const named = () => json({ token_federation_default_oidc_audiences: ["first", "second"] });
    expect(await audience(named)).toBe("first");
  });

  test.each<[string, Answer]>([
    ["names none", none],
    ["names an empty list", () => json({ token_federation_default_oidc_audiences: [] })],
    ["names nonsense", () => json({ token_federation_default_oidc_audiences: [7] })],
  ])("is the token endpoint where the host %s", async (_name, answer) => {
    expect(await audience(answer)).toBe(`${host}${paths.token}`);
  });

  test("is the account at the account's own host", async () => {
    expect(await audience(none, { accountId: "a-1" }, accounts)).toBe("a-1");
    expect(await audience(none, { accountId: "a-1" })).toBe(`${host}${paths.token}`);
  });
});
