import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { settle } from "../../test/fake-clock.ts";
import { fakeWorkspace, json, paths, watch } from "../../test/fake-workspace.ts";
import type { LakebaseError } from "../errors.ts";
import { createLakebase } from "../lakebase.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { azureClientSecret, azureManagedIdentity } from "./azure.ts";
import { azureCli } from "./azure-cli.ts";
import { clientCredentials } from "./client-credentials.ts";
import { configProfile } from "./config-profile.ts";
import { databricksCli } from "./databricks-cli.ts";
import { environmentOidc, fileOidc, githubOidc } from "./oidc.ts";
import { tokenExchange } from "./token-exchange.ts";

const host = "https://acme.cloud.databricks.com";

function setUp(auth: WorkspaceAuth, env: Record<string, string> = {}, workspaceHost = host) {
  const workspace = fakeWorkspace();
  const handle = createLakebase({
    endpoint: "projects/shop/branches/production/endpoints/primary",
    env,
    auth,
    workspaceHost,
    clock: workspace.clock,
    fetch: workspace.fetch,
  });
  /** Waits for what needs no clock: the working halves of identities are loaded by their first use. */
  const outcome = async () => {
    const connection = await handle.connection().catch((error: unknown) => ({ error, password: undefined }));
    return "error" in connection ? connection : { error: undefined, password: connection.password };
  };
  return { ...workspace, handle, outcome };
}

const jwt = (claims: object) =>
  `${[{ alg: "RS256" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.c2ln`;
const thrown = (make: () => unknown) => {
  try {
    make();
  } catch (error) {
    return error as LakebaseError;
  }
  throw new Error("nothing was thrown");
};

test.each([
  ["githubOidc", githubOidc],
  ["environmentOidc", environmentOidc],
  ["azureManagedIdentity", azureManagedIdentity],
  ["azureCli", azureCli],
  ["databricksCli", databricksCli],
] as [string, (options: never) => WorkspaceAuth][])(
  "%s that is given something else than options says so",
  async (name, make) => {
    for (const options of [null, 5, "acme"]) {
      const { error } = await setUp(make(options as never)).outcome();
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringContaining(`auth: ${name}`) });
    }
  },
);

test("a profile's secret goes to no login service that the environment names", async () => {
  const folder = await mkdtemp(join(tmpdir(), "profile-"));
  try {
    const file = join(folder, "databrickscfg");
    const entra = "azure_client_id = app\nazure_client_secret = entra-secret\nazure_tenant_id = tenant\n";
    await writeFile(file, `[entra]\nhost = ${host}\n${entra}`, { mode: 0o600 });
    const { outcome, requests } = setUp(configProfile("entra", { file }), {
      AZURE_AUTHORITY_HOST: "https://elsewhere.example",
    });
    await outcome();
    const sent = requests.filter(({ body }) => body?.includes("entra-secret")).map(({ url }) => new URL(url).host);
    expect(new Set(sent)).toEqual(new Set(["login.microsoftonline.com"]));
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("an identity with something missing", () => {
  test.each<[string, () => WorkspaceAuth, RegExp]>([
    ["no function", () => tokenExchange({} as never), /tokenExchange\.subjectToken`: must be a function/],
    ["a token for a function", () => tokenExchange({ subjectToken: "ey" } as never), /must be a function/],
    ["no options", () => tokenExchange(undefined as never), /must be a function/],
    ["no path", () => fileOidc({} as never), /fileOidc\.path`: is undefined/],
    ["an empty path", () => fileOidc({ path: " " }), /fileOidc\.path`: is empty/],
    ["no id of Entra", () => azureClientSecret({ clientSecret: "s" } as never), /azureClientSecret\.clientId/],
    ["no secret of Entra", () => azureClientSecret({ clientId: "a" } as never), /azureClientSecret\.clientSecret/],
    // An account's policy would make somebody else of them.
    [
      "an id that is not set",
      () => githubOidc({ clientId: undefined as never }),
      /githubOidc\.clientId`: is undefined/,
    ],
    ["an empty id", () => environmentOidc({ clientId: "" }), /environmentOidc\.clientId`: is empty/],
    ["an id for its file", () => fileOidc({ path: "/x", clientId: undefined as never }), /fileOidc\.clientId/],
    [
      "an identity not set",
      () => azureManagedIdentity({ clientId: undefined as never }),
      /azureManagedIdentity\.clientId/,
    ],
  ])("is refused at once: %s", (_name, make, message) => {
    const { code, message: said } = thrown(make);
    expect(code).toBe("ERR_LAKEBASE_CONFIG");
    expect(said).toMatch(message);
  });

  test.each<[WorkspaceAuth, RegExp]>([
    [githubOidc({ audiense: "x" } as never), /githubOidc\.audiense`: is no option; there are clientId, audience/],
    [tokenExchange({ subjectToken: () => "x", audience: "x" } as never), /tokenExchange\.audience`: is no option/],
    [azureManagedIdentity({ resource: "x" } as never), /azureManagedIdentity\.resource`: is no option/],
    [azureClientSecret({ clientId: "a", clientSecret: "s", tenant: "x" } as never), /tenant`: is no option/],
    [clientCredentials({ clientId: "a", clientSecret: "s", scope: "x" } as never), /scope`: is no option/],
    [azureManagedIdentity({ azureCloud: "mars" as never }), /azureCloud`: must be "public"/],
    [azureClientSecret({ clientId: "a", clientSecret: "s", azureCloud: "mars" as never }), /azureCloud`: must be/],
  ])("is refused at its first use: %#", async (auth, message) => {
    const { outcome, requests } = setUp(auth);
    expect((await outcome()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(message),
    });
    expect(requests).toEqual([]);
  });
});

describe("a token exchange", () => {
  test("names no secret and no client where the account decides", async () => {
    const token = jwt({ iss: "https://idp.example", sub: "ada" });
    const { outcome, requests } = setUp(tokenExchange({ subjectToken: () => token }));
    expect((await outcome()).error).toBeUndefined();
    const exchange = requests.find(({ path }) => path === paths.token);
    expect(Object.fromEntries(new URLSearchParams(exchange?.body))).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: token,
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      scope: "all-apis",
    });
    expect(exchange?.headers.get("authorization")).toBeNull();
  });

  test.each<[string, object, RegExp]>([
    ["has ended", { exp: Date.UTC(2025, 11, 31) / 1000 }, /had ended at 2025-12-31T00:00:00.000Z/],
    ["is not good yet", { nbf: Date.UTC(2026, 0, 2) / 1000 }, /good from 2026-01-02T00:00:00.000Z on only/],
    ["ends at no time", { exp: -1e300 }, /had ended at a time that is none/],
    [
      "is of an issuer that is not trusted",
      { iss: 'https://idp.example/"\n', sub: "ada", aud: ["one", "two"] },
      /of the service principal app-id for issuer "https:\/\/idp\.example\/\?\?", subject "ada" and audience "one, two"\?/,
    ],
    ["says little", {}, /for issuer "", subject "" and audience ""\?/],
  ])("says what is wrong with a token that %s", async (_name, claims, message) => {
    const { outcome, answers } = setUp(tokenExchange({ subjectToken: () => jwt(claims), clientId: "app-id" }));
    answers[paths.token] = () => json({ error: "invalid_grant", error_description: "prose" }, 400);
    expect((await outcome()).error).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringMatching(message),
    });
  });

  test.each([undefined, 7, "", "opaque", "a.b", "a.b.c", `${jwt({})}\n`, "ey.bm90IGpzb24.x", "x.WzFd.", "x.bnVsbA.y"])(
    "sends nothing that is no JWT: %j",
    async (value) => {
      const { outcome, requests } = setUp(tokenExchange({ subjectToken: () => value as string }));
      expect((await outcome()).error).toMatchObject({
        code: "ERR_LAKEBASE_UNAUTHENTICATED",
        message: expect.stringMatching(/no JWT, so it was not sent/),
      });
      expect(requests).toEqual([]);
    },
  );
});

describe("Entra", () => {
  const azure = "https://adb-1.7.azuredatabricks.net";
  const auth = (more: object = {}) =>
    azureClientSecret({ clientId: "app-id", clientSecret: "a secret & more", ...more });
  const ask = async (more: object, workspaceHost: string, location?: string) => {
    const { outcome, answers, requests } = setUp(auth(more), {}, workspaceHost);
    if (location !== undefined) answers["/aad/auth"] = () => json({}, 302, { location });
    answers["/tenant/oauth2/token"] = () => json({ access_token: "entra", expires_in: "3599" });
    const { error } = await outcome();
    return { error, urls: requests.map(({ url }) => url), token: requests.find(({ method }) => method === "POST") };
  };

  test.each([
    [azure, "https://login.microsoftonline.com"],
    ["https://adb-1.7.databricks.azure.us", "https://login.microsoftonline.us"],
    ["https://adb-1.7.databricks.azure.cn", "https://login.chinacloudapi.cn"],
  ])("of %s is %s", async (workspaceHost, authority) => {
    const { error, token } = await ask({ tenantId: "tenant" }, workspaceHost);
    expect(error).toBeUndefined();
    expect(token?.url).toBe(`${authority}/tenant/oauth2/token`);
    expect(Object.fromEntries(new URLSearchParams(token?.body))).toEqual({
      grant_type: "client_credentials",
      client_id: "app-id",
      client_secret: "a secret & more",
      resource: "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
    });
  });

  test("is the one that is named", async () => {
    const { token } = await ask({ tenantId: "tenant", azureCloud: "china", loginAppId: "other" }, azure);
    expect(token?.url).toBe("https://login.chinacloudapi.cn/tenant/oauth2/token");
    expect(token?.body).toContain("resource=other");
    const { token: own } = await ask({ tenantId: "tenant", authorityHost: "https://login.acme.example/" }, azure);
    expect(own?.url).toBe("https://login.acme.example/tenant/oauth2/token");
  });

  test("is asked under the tenant that the workspace tells, and of its answer nothing else is believed", async () => {
    const { error, urls } = await ask({}, azure, "https://attacker.example/tenant/oauth2/authorize?x=1");
    expect(error).toBeUndefined();
    expect(urls.slice(0, 2)).toEqual([`${azure}/aad/auth`, "https://login.microsoftonline.com/tenant/oauth2/token"]);
  });

  test.each(["/relative", "https://login.microsoftonline.com", "nonsense"])(
    "is not asked where the workspace tells no tenant: %s",
    async (location) => {
      const { error, token } = await ask({}, azure, location);
      expect(error).toMatchObject({
        code: "ERR_LAKEBASE_BAD_RESPONSE",
        message: expect.stringMatching(/ARM_TENANT_ID/),
      });
      expect(token).toBeUndefined();
    },
  );

  test("is asked again before its token ends, and no token is used that Azure would refuse", async () => {
    const { outcome, answers, clock, calls, handle } = setUp(auth({ tenantId: "tenant" }), {}, azure);
    const ends = new Map<string, number>();
    const lefts: number[] = [];
    const mint = answers[paths.credential];
    answers[paths.credential] = (request) => {
      const bearer = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
      lefts.push((ends.get(bearer) ?? 0) - clock.now());
      return mint?.(request) ?? json({});
    };
    answers["/tenant/oauth2/token"] = () => {
      const token = `entra-${ends.size}`;
      ends.set(token, clock.now() + 3_599_000);
      return json({ access_token: token, expires_in: "3599" });
    };
    for (let minutes = 0; minutes < 300; minutes += 7) {
      const { error, password } = await outcome();
      expect(error).toBeUndefined();
      if (password) handle.invalidate(password);
      await clock.advance(7 * 60_000);
    }
    expect(calls("/tenant/oauth2/token")).toBeGreaterThan(4);
    // https://learn.microsoft.com/azure/databricks/dev-tools/auth: Azure refuses tokens that end within 30 seconds.
    expect(Math.min(...lefts)).toBeGreaterThan(40_000);
    expect(lefts.length).toBeGreaterThan(20);
  });
});

describe("a managed identity", () => {
  test("is given up after ten seconds, and asked for again while somebody waits", async () => {
    let asked = 0;
    const server = createServer(() => {
      asked += 1;
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { clock, handle } = setUp(azureManagedIdentity({ endpoint: `http://127.0.0.1:${port}/token` }));
    const waiting = watch(handle.connection());
    while (asked === 0) await settle();
    await clock.advance(9999);
    expect(handle.health().counts.refreshFailures).toBe(0);
    await clock.advance(1);
    // The pause before the next try.
    await clock.advance(250);
    while (asked === 1) await settle();
    await clock.advance(20_000);
    expect((await waiting.now()).error).toMatchObject({ code: "ERR_LAKEBASE_TIMEOUT", retryable: true });
    await handle.close();
    server.closeAllConnections();
    server.close();
  });
});
