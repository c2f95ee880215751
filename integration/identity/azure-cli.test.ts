import { type AzureCliOptions, azureCli, type LakebaseOptions } from "@x/lakebase-core";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld } from "../contract/world.ts";
import { installPrograms, type ProgramState, type Programs } from "../stand-ins/programs.ts";
import { failureOf } from "./login-checks.ts";

const world = createWorld(pgAdapter);
const hour = 3_600_000;
const azureResourceId =
  "/subscriptions/subscription-of-acme/resourceGroups/shop/providers/Microsoft.Databricks/workspaces/shop";
const databricks = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const tokenCommand = `account get-access-token --resource ${databricks} --output json`;
const managementCommand = "account get-access-token --resource https://management.core.windows.net/ --output json";
let programs: Programs;

beforeAll(async () => {
  programs = await installPrograms(world.local);
});
afterAll(() => programs[Symbol.asyncDispose]());
beforeEach(async () => {
  await programs.reset();
  await programs.az.signIn("account");
});

function options(az: AzureCliOptions = {}): LakebaseOptions {
  return {
    env: { ...world.local.env, ...programs.env },
    auth: azureCli(az),
    workspaceHost: world.local.workspaceUrl,
    workspaceCa: world.local.ca,
  };
}

async function failure(az: AzureCliOptions = {}) {
  const error = await failureOf(world, options(az), ["s3cret", "t0ken"]);
  return { code: error.code, message: error.message };
}

const commands = () => programs.az.runs.map(({ args }) => args.join(" "));

describe("whoever has signed in to the Azure CLI", () => {
  test("logs in under their own name", async () => {
    const lakebase = world.handle(options());
    const [row] = await world.open({ lakebase }).query("select current_user::text as me");
    expect(row?.me).toBe(world.local.user.userName);
    expect(commands()).toEqual([tokenCommand]);
  });

  test.each<[string, Partial<ProgramState>]>([
    ["since version 2.54", {}],
    ["before it, in local time", { version: "no epoch" }],
  ])("is asked again when the token ends, which the CLI tells: %s", async (_name, state) => {
    // Where local time is not UTC: a token would seem to have ended hours ago.
    const { TZ } = process.env;
    process.env.TZ = "America/New_York";
    onTestFinished(() => {
      if (TZ === undefined) delete process.env.TZ;
      else process.env.TZ = TZ;
    });
    programs.az.set(state);
    const lakebase = world.handle({ ...options(), env: { ...options().env, TZ: "America/New_York" } });
    await lakebase.warmup();
    programs.advance(hour / 4);
    await lakebase.warmup();
    expect(commands()).toHaveLength(1);
    programs.advance(2 * hour);
    await lakebase.warmup();
    expect(commands()).toHaveLength(2);
  });

  test("is known to a workspace that they are no member of by their role on the resource", async () => {
    await world.handle(options({ azureResourceId })).warmup();
    expect(commands()).toEqual([
      `${tokenCommand} --subscription subscription-of-acme`,
      `${managementCommand} --subscription subscription-of-acme`,
    ]);
    expect(world.requests("credential").map(({ headers }) => headers)).toEqual([
      expect.objectContaining({
        "x-databricks-azure-workspace-resource-id": azureResourceId,
        "x-databricks-azure-sp-management-token": "management-t0ken",
      }),
    ]);
  });

  test("needs no right to the subscription, nor to manage it", async () => {
    programs.az.set({ subscription: "another", mayManage: false });
    await world.handle(options({ azureResourceId })).warmup();
    const [request] = world.requests("credential");
    expect(request?.headers).toMatchObject({ "x-databricks-azure-workspace-resource-id": azureResourceId });
    expect(request?.headers).not.toHaveProperty("x-databricks-azure-sp-management-token");
  });

  test("may be a managed identity, of which the tenant is not told", async () => {
    programs.az.set({ managed: true });
    await world.handle(options({ tenantId: "tenant-of-acme" })).warmup();
    expect(commands()).toEqual([`${tokenCommand} --tenant tenant-of-acme`, tokenCommand]);
  });

  test.each<[string, Partial<ProgramState>, AzureCliOptions, string, string]>([
    [
      "the tenant is another",
      {},
      { tenantId: "tenant-of-emca" },
      "ERR_LAKEBASE_CONFIG",
      "the Azure CLI knows no such tenant; check ARM_TENANT_ID, or azureCli({ tenantId })",
    ],
    [
      "the tenant knows nothing of Databricks",
      { mayUse: false },
      {},
      "ERR_LAKEBASE_PERMISSION_DENIED",
      "the Azure CLI may not have tokens for Databricks in this tenant; is it the tenant of the workspace?",
    ],
    [
      "it is not installed",
      {},
      { path: "/nowhere/az" },
      "ERR_LAKEBASE_UNAUTHENTICATED",
      "the Azure CLI is not installed (/nowhere/az); see https://learn.microsoft.com/cli/azure/install-azure-cli",
    ],
    [
      "it prints no JSON",
      { fault: "garbage" },
      {},
      "ERR_LAKEBASE_BAD_RESPONSE",
      "the Azure CLI printed no JSON; is az what it should be?",
    ],
    [
      "it prints no token",
      { fault: "no token" },
      {},
      "ERR_LAKEBASE_BAD_RESPONSE",
      "the Azure CLI printed no usable token",
    ],
    [
      "it crashes",
      { fault: "crash" },
      {},
      "ERR_LAKEBASE_UNAUTHENTICATED",
      `the Azure CLI failed with exit code 2; run \`az ${tokenCommand}\` to see why`,
    ],
    [
      "its clock is far behind",
      { skewMs: -2 * hour },
      {},
      "ERR_LAKEBASE_UNAUTHENTICATED",
      "the Azure CLI gave a token that has ended; is this machine's clock right?",
    ],
  ])("is told what to do where %s", async (_name, state, az, code, message) => {
    programs.az.set(state);
    expect(await failure(az)).toEqual({ code, message });
  });

  test.each([
    ["nobody is signed in", () => programs.az.signOut()],
    [
      "the session has ended",
      () => {
        world.local.signOut(world.local.user.userName);
        programs.advance(2 * hour);
      },
    ],
  ])("is told to sign in where %s", async (_name, prepare) => {
    prepare();
    expect(await failure()).toEqual({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: "nobody is signed in to the Azure CLI; run `az login`",
    });
  });

  test("is told that the workspace refuses the token, where it was revoked: the CLI has no way to get another", async () => {
    world.local.revokeAll("workspace");
    expect(await failure()).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect(commands()).toEqual([tokenCommand]);
  });

  test.each<[string, AzureCliOptions, RegExp]>([
    ["an Azure that there is not", { azureCloud: "mars" as "public" }, /must be "public", "usgovernment" or "china"/],
    ["an option that there is not", { tenant: "a" } as AzureCliOptions, /azureCli\.tenant`: is no option/],
    ["an empty tenant", { tenantId: "" }, /azureCli\.tenantId`: must be a string that is not empty/],
  ])("is refused with %s", async (_name, az, message) => {
    expect(await failure(az)).toEqual({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringMatching(message) });
  });
});
