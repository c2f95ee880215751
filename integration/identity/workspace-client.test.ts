import { Agent } from "node:https";
import { inspect } from "node:util";
import { WorkspaceClient } from "@databricks/sdk-experimental";
import { type LakebaseOptions, type SdkWorkspaceClient, workspaceClient } from "@x/lakebase-core";
import { describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";

const world = createWorld(pgAdapter);

type SdkOptions = ConstructorParameters<typeof WorkspaceClient>[0];

/** The SDK takes the port from its host, so it is put back once the SDK has read its own config. */
async function sdkClient(config: Partial<SdkOptions> = {}, options?: { agent: Agent }): Promise<WorkspaceClient> {
  const client = new WorkspaceClient(
    { host: world.local.workspaceUrl, token: world.local.user.personalAccessToken, env: {}, ...config } as SdkOptions,
    options,
  );
  await client.config.ensureResolved();
  client.config.host = world.local.workspaceUrl;
  return client;
}

function options(client: SdkWorkspaceClient, more: LakebaseOptions = {}): LakebaseOptions {
  return { env: world.local.env, auth: workspaceClient(client), workspaceCa: world.local.ca, ...more };
}

const warnings = () => world.events.filter(({ type }) => type === "warning");

describe("the identity of the official SDK's client", () => {
  test("logs in, at the client's own workspace", async () => {
    const lakebase = world.handle(options(await sdkClient({ skipVerify: false })));
    const [row] = await world.open({ lakebase }).query("select current_user::text as me");
    expect(row?.me).toBe(world.local.user.userName);
    expect(warnings()).toEqual([]);
  });

  test.each<[string, Partial<SdkOptions>, { agent: Agent } | undefined]>([
    ["says nothing about it, which is its default", {}, undefined],
    ["skips it", { skipVerify: true }, undefined],
    ["has an agent that skips it", { skipVerify: false }, { agent: new Agent({ rejectUnauthorized: false }) }],
  ])("is warned of once where the client %s", async (_name, config, sdkOptions) => {
    const lakebase = world.handle(options(await sdkClient(config, sdkOptions)));
    await lakebase.warmup();
    await lakebase.warmup();
    expect(warnings()).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/does not verify TLS .* give its config `skipVerify: false`/),
      }),
    ]);
  });

  test("is not warned of where the client has an agent that verifies", async () => {
    await world.handle(options(await sdkClient({}, { agent: new Agent() }))).warmup();
    expect(warnings()).toEqual([]);
  });

  test("is what the SDK says: its client does not verify TLS unless it is told to", async () => {
    const client = await sdkClient();
    await client.currentUser.me();
    const { _agent: agent } = client.apiClient as unknown as { _agent: Agent };
    expect(agent.options.rejectUnauthorized).toBe(false);
    await world.handle(options(client)).warmup();
    expect(warnings()).toHaveLength(1);
  });

  test("is for the client's workspace only", async () => {
    const client = await sdkClient({ skipVerify: false });
    const error = await rejection(
      world.handle(options(client, { workspaceHost: "https://other.cloud.databricks.com" })).warmup(),
    );
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(/is https:\/\/other\.cloud\.databricks\.com, but workspace-client belongs to /),
    });
  });

  test("is told where the client has no token, without what the SDK's error holds", async () => {
    const client = await sdkClient({
      clientId: "a",
      clientSecret: "sdk-s3cret",
      authType: "oauth-m2m",
      skipVerify: false,
    });
    const error = await rejection(world.handle(options(client)).warmup());
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringMatching(/^the WorkspaceClient given to workspaceClient\(\) has no token \(\w+\); /),
    });
    expect(inspect([error, world.events], { depth: 9 })).not.toContain("sdk-s3cret");
  });

  test("is told where the client has no workspace", async () => {
    const client = new WorkspaceClient({ token: "t", env: {}, loaders: [] } as unknown as SdkOptions);
    expect(await rejection(world.handle(options(client)).warmup())).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringMatching(/ names no workspace \(\w+\); /),
    });
  });

  test("is told where the token is refused", async () => {
    const client = await sdkClient({ token: "dapi00000000", skipVerify: false });
    expect(await rejection(world.handle(options(client)).warmup())).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
    });
  });

  test.each([undefined, null, {}, { config: {} }, { config: { authenticate() {} } }])(
    "is not made of %j",
    async (client) => {
      const made = options(client as unknown as SdkWorkspaceClient);
      expect(await rejection(world.handle(made).warmup())).toMatchObject({
        code: "ERR_LAKEBASE_CONFIG",
        message: expect.stringMatching(/must be a WorkspaceClient of @databricks\/sdk-experimental/),
      });
    },
  );
});
