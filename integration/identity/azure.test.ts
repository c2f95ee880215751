import {
  type AzureClientSecretOptions,
  azureClientSecret,
  azureManagedIdentity,
  type LakebaseOptions,
  type WorkspaceAuth,
} from "@x/lakebase-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld } from "../contract/world.ts";
import { type Entra, openEntra } from "../stand-ins/entra.ts";
import { type Imds, openImds } from "../stand-ins/imds.ts";
import { garbage } from "../stand-ins/stand-in-server.ts";
import { failureOf, userOf } from "./login-checks.ts";

const world = createWorld(pgAdapter);
const hour = 3_600_000;
let entra: Entra;
let imds: Imds;
let clientId: string;

beforeAll(async () => {
  clientId = world.local.servicePrincipal.clientId;
  entra = await openEntra(clientId, () => world.local.issueWorkspaceToken(clientId));
  imds = await openImds(world.local.clock.now, (lifeSeconds) =>
    world.local.issueWorkspaceToken(clientId, { lifeSeconds }),
  );
});
afterAll(() => Promise.all([entra[Symbol.asyncDispose](), imds[Symbol.asyncDispose]()]));
beforeEach(() => {
  imds.assigned.clear();
  imds.assigned.add(clientId);
  const secret = entra.clientSecret;
  return () => {
    entra.clientSecret = secret;
  };
});
afterEach(() => {
  Object.assign(entra, { fault: undefined, secretEnded: false });
  Object.assign(imds, { fault: undefined, remainingSeconds: 3600 });
});

function options(auth: WorkspaceAuth, env: Record<string, string> = {}): LakebaseOptions {
  return {
    env: { ...world.local.env, ...env },
    auth,
    workspaceHost: world.local.workspaceUrl,
    workspaceCa: world.local.ca + entra.ca,
  };
}

const whoIs = (auth: WorkspaceAuth, more: LakebaseOptions = {}) => userOf(world, { ...options(auth), ...more });

async function failure(auth: WorkspaceAuth, more: LakebaseOptions = {}) {
  const secrets = [entra.clientSecret, "wrong-secret", imds.appServiceEnv.IDENTITY_HEADER];
  const error = await failureOf(world, { ...options(auth), ...more }, secrets);
  return { code: error.code, message: error.message };
}

describe("a service principal of Entra", () => {
  const auth = (more: Partial<AzureClientSecretOptions> = {}) => {
    const { tenantId, clientSecret, url: authorityHost } = entra;
    return azureClientSecret({ tenantId, clientId, clientSecret, authorityHost, ...more });
  };

  test("logs in under its own name, and asks Entra once an hour", async () => {
    const before = entra.requests.length;
    const lakebase = world.handle(options(auth()));
    const [row] = await world.open({ lakebase }).query("select current_user::text as me");
    expect(row?.me).toBe(clientId);
    await lakebase.warmup();
    world.local.clock.advance(2 * hour);
    await lakebase.warmup();
    expect(entra.requests.length - before).toBe(2);
    expect(world.requests("token")).toHaveLength(0);
    expect(world.requests("me")).toHaveLength(0);
  });

  test("is known to a workspace that it is no member of by its role on the resource", async () => {
    const azureResourceId = "/subscriptions/1/resourceGroups/shop/providers/Microsoft.Databricks/workspaces/shop";
    expect(await whoIs(auth({ azureResourceId }))).toBe(clientId);
    const [management] = entra.managementTokens.slice(-1);
    expect(world.requests("credential").map(({ headers }) => headers)).toEqual([
      expect.objectContaining({
        "x-databricks-azure-workspace-resource-id": azureResourceId,
        "x-databricks-azure-sp-management-token": management,
      }),
    ]);
  });

  test("goes on with a secret that was rotated as soon as it is given, and with its token until then", async () => {
    const lakebase = world.handle(options(auth()));
    await lakebase.warmup();
    entra.clientSecret = "rotated-secret";
    world.local.clock.advance(hour / 2);
    await lakebase.warmup();
    expect(await whoIs(auth())).toBe(clientId);
  });

  test("gets a new token where the old one was revoked", async () => {
    const lakebase = world.handle(options(auth()));
    const first = await lakebase.credential();
    world.local.revokeAll("workspace");
    lakebase.invalidate(first.token);
    expect((await lakebase.credential()).token.reveal()).not.toBe(first.token.reveal());
  });

  test.each<[string, string, RegExp, () => [(WorkspaceAuth | undefined)?, LakebaseOptions?]]>([
    [
      "its secret is wrong",
      "UNAUTHENTICATED",
      /the client secret of .* is not right; is it the secret's value.*HTTP 401, invalid_client/,
      () => [auth({ clientSecret: "wrong-secret" })],
    ],
    [
      "its secret has ended",
      "UNAUTHENTICATED",
      /has ended: make a new one/,
      () => {
        entra.secretEnded = true;
        return [];
      },
    ],
    [
      "it is not in the tenant",
      "PERMISSION_DENIED",
      /the application 0000 is not in the tenant/,
      () => [auth({ clientId: "0000" })],
    ],
    [
      "there is no such tenant",
      "BAD_REQUEST",
      /there is no tenant acme\.example/,
      () => [auth({ tenantId: "acme.example" })],
    ],
    ["the tenant is none", "CONFIG", /tenantId`: is no tenant id/, () => [auth({ tenantId: "../../other" })]],
    [
      "the login service is none",
      "CONFIG",
      /authorityHost`: must be https/,
      () => [auth({ authorityHost: "http://127.0.0.1" })],
    ],
    [
      "the workspace does not tell its tenant",
      "NOT_FOUND",
      /does not tell its tenant; is it on Azure\? Give `tenantId`/,
      () => [auth({ tenantId: undefined })],
    ],
    [
      "Entra answers garbage",
      "BAD_RESPONSE",
      /OAuth token request.*not JSON/,
      () => {
        entra.fault = garbage;
        return [];
      },
    ],
    [
      "Entra answers no token",
      "BAD_RESPONSE",
      /no usable access_token/,
      () => {
        entra.fault = { status: 200, body: { token_type: "Bearer" } };
        return [];
      },
    ],
    [
      "Entra does not answer",
      "TIMEOUT",
      /not there within 400 ms/,
      () => {
        entra.fault = "hang";
        return [undefined, { connectTimeoutMs: 400 }];
      },
    ],
    [
      "Entra sends elsewhere",
      "BAD_RESPONSE",
      /secrets do not follow redirects/,
      () => {
        entra.fault = { status: 302, headers: { location: "https://elsewhere.example.com/" }, body: "" };
        return [];
      },
    ],
    [
      "it may not use the database",
      "PERMISSION_DENIED",
      /credential request/,
      () => {
        world.local.faults.api({ on: "credential", kind: "status", status: 403 });
        return [];
      },
    ],
  ])("is told what to do when %s", async (_name, code, message, arrange) => {
    const [other, more] = arrange();
    expect(await failure(other ?? auth(), more)).toEqual({
      code: `ERR_LAKEBASE_${code}`,
      message: expect.stringMatching(message),
    });
  });
});

describe("a managed identity", () => {
  const auth = (more: { clientId?: string } = {}) => azureManagedIdentity({ endpoint: imds.endpoint, ...more });

  test("of a virtual machine logs in, and the workspace says who it is", async () => {
    expect(await whoIs(auth())).toBe(clientId);
    expect(world.requests("me")).toHaveLength(1);
  });

  test("that is named logs in under its own name", async () => {
    expect(await whoIs(auth({ clientId }))).toBe(clientId);
    expect(imds.requests.at(-1)?.query.get("client_id")).toBe(clientId);
    expect(world.requests("me")).toHaveLength(0);
  });

  test("of App Service logs in through the service's own address", async () => {
    const env = { ...world.local.env, ...imds.appServiceEnv };
    expect(await whoIs(azureManagedIdentity({ clientId }), { env })).toBe(clientId);
    expect(imds.requests.at(-1)?.path).toBe("/msi/token");
  });

  test("uses a token that the machine had for a while only as long as it lives", async () => {
    imds.remainingSeconds = 600;
    const lakebase = world.handle(options(auth({ clientId })));
    const before = imds.requests.length;
    const { expiresAt } = await lakebase.credential();
    expect(expiresAt.getTime() - world.local.clock.now()).toBeLessThanOrEqual(600_000);
    world.local.clock.advance(601_000);
    await lakebase.credential();
    expect(imds.requests.length - before).toBe(2);
  });

  test.each<[string, string, RegExp, () => [(WorkspaceAuth | undefined)?, LakebaseOptions?]]>([
    [
      "the machine has none",
      "BAD_REQUEST",
      /no such managed identity: is one assigned to this machine\?.*invalid_request/,
      () => {
        imds.assigned.clear();
        return [];
      },
    ],
    [
      "it is not assigned",
      "BAD_REQUEST",
      /is the one with the client id 0000 assigned/,
      () => [auth({ clientId: "0000" })],
    ],
    [
      "the key of App Service is wrong",
      "UNAUTHENTICATED",
      /no such managed identity/,
      () => [
        azureManagedIdentity(),
        { env: { ...world.local.env, ...imds.appServiceEnv, IDENTITY_HEADER: "wrong-secret" } },
      ],
    ],
    [
      "its token has ended",
      "BAD_RESPONSE",
      /the token had ended when it arrived; are the clocks/,
      () => {
        imds.remainingSeconds = -60;
        return [undefined, { connectTimeoutMs: 400 }];
      },
    ],
    [
      "the service answers garbage",
      "BAD_RESPONSE",
      /managed identity token request.*not JSON/,
      () => {
        imds.fault = garbage;
        return [];
      },
    ],
    [
      "the service does not answer",
      "TIMEOUT",
      /not there within 400 ms/,
      () => {
        imds.fault = "hang";
        return [undefined, { connectTimeoutMs: 400 }];
      },
    ],
    [
      "the service is somewhere else",
      "TLS",
      /http:\/\/ is not https/,
      () => [azureManagedIdentity({ endpoint: "http://metadata.example.com/token" })],
    ],
    [
      "the machine may not ask",
      "PERMISSION_DENIED",
      /no such managed identity.*HTTP 403/,
      () => {
        imds.fault = { status: 403, body: {} };
        return [];
      },
    ],
  ])("is told what to do when %s", async (_name, code, message, arrange) => {
    const [other, more] = arrange();
    expect(await failure(other ?? auth(), more)).toEqual({
      code: `ERR_LAKEBASE_${code}`,
      message: expect.stringMatching(message),
    });
  });
});
