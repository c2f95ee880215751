import { type ConfigProfileOptions, configProfile, type LakebaseOptions } from "@x/lakebase-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";
import { installPrograms, type Programs } from "../stand-ins/programs.ts";
import { failureOf, userOf } from "./login-checks.ts";

const world = createWorld(pgAdapter);
let programs: Programs;

beforeAll(async () => {
  programs = await installPrograms(world.local);
});
afterAll(() => programs[Symbol.asyncDispose]());
beforeEach(() => programs.reset());

function options(name?: string, profile?: ConfigProfileOptions, more: LakebaseOptions = {}): LakebaseOptions {
  const {
    DATABRICKS_HOST: _host,
    DATABRICKS_CLIENT_ID: _id,
    DATABRICKS_CLIENT_SECRET: _secret,
    ...env
  } = world.local.env;
  return {
    env: { ...env, ...programs.env },
    auth: configProfile(name, profile),
    workspaceCa: world.local.ca,
    ...more,
  };
}

const whoIs = (more: LakebaseOptions) => userOf(world, more);

async function failure(more: LakebaseOptions) {
  const error = await failureOf(world, more, ["s3cret"]);
  return { code: error.code, message: error.message.replaceAll(programs.home, "$HOME") };
}

const host = () => `host = ${world.local.workspaceUrl}`;
const principal = () => {
  const { clientId, clientSecret } = world.local.servicePrincipal;
  return `${host()}\nclient_id = ${clientId}\nclient_secret = ${clientSecret}\n`;
};
const person = () => `${host()}\ntoken = ${world.local.user.personalAccessToken}\n`;

describe("a profile of .databrickscfg", () => {
  test("is a service principal, known by name without asking", async () => {
    await programs.writeConfig(`[DEFAULT]\n${person()}\n[prod.eu]\n${principal()}`);
    expect(await whoIs(options("prod.eu"))).toBe(world.local.servicePrincipal.clientId);
    expect(world.requests("me")).toHaveLength(0);
  });

  test("is a person with a token", async () => {
    await programs.writeConfig(`[DEFAULT]\n${principal()}\n[dev]\n${person()}`);
    expect(await whoIs(options("dev"))).toBe(world.local.user.userName);
  });

  test("is whoever has signed in to the CLI under its name", async () => {
    await programs.writeConfig(`[dev]\n${host()}\nauth_type = databricks-cli\n`);
    await programs.databricks.signIn("dev");
    expect(await whoIs(options("dev"))).toBe(world.local.user.userName);
    expect(programs.databricks.runs.map(({ args }) => args.join(" "))).toEqual(["auth token --profile dev"]);
  });

  test("is whoever has signed in to the CLI, where it names only a workspace; its file is the one that the CLI reads", async () => {
    const file = await programs.writeConfig(`[dev]\n${host()}\n`);
    await programs.databricks.signIn("dev");
    const env = { ...options().env, HOME: "/nowhere" };
    expect(await whoIs(options("dev", { file }, { env }))).toBe(world.local.user.userName);
  });

  test("without a name is the one that was switched to, else DEFAULT", async () => {
    await programs.writeConfig(`[__settings__]\ndefault_profile = dev\n[DEFAULT]\n${principal()}\n[dev]\n${person()}`);
    expect(await whoIs(options())).toBe(world.local.user.userName);
    await programs.writeConfig(`[DEFAULT]\n${principal()}\n[dev]\n${person()}`);
    expect(await whoIs(options())).toBe(world.local.servicePrincipal.clientId);
  });

  test("is nobody else for what the environment says", async () => {
    await programs.writeConfig(`[dev]\n${person()}`);
    const { clientId, clientSecret } = world.local.servicePrincipal;
    const env = {
      ...options().env,
      DATABRICKS_HOST: "https://other.cloud.databricks.com",
      DATABRICKS_CLIENT_ID: clientId,
      DATABRICKS_CLIENT_SECRET: clientSecret,
      DATABRICKS_AUTH_TYPE: "oauth-m2m",
      DATABRICKS_OIDC_TOKEN: "s3cret",
      PGUSER: clientId,
    };
    expect(await whoIs(options("dev", {}, { env }))).toBe(world.local.user.userName);
  });

  test("is told once by an event where others can read it", async () => {
    const path = await programs.writeConfig(`[dev]\n${host()}\nclient_id = a\n`, 0o640);
    const lakebase = world.handle(options("dev"));
    await rejection(lakebase.warmup());
    await programs.writeConfig(`[dev]\n${person()}`, 0o640);
    await lakebase.warmup();
    await lakebase.warmup();
    expect(world.events.filter(({ type }) => type === "warning")).toEqual([
      expect.objectContaining({
        message: `${path} can be read by other users of this machine (mode 640); run \`chmod 600\` on it`,
      }),
    ]);
  });

  test.each<[string, () => string, string | undefined, string, string | RegExp]>([
    [
      "it is not there",
      () => `[DEFAULT]\n${person()}\n[dev]\n${person()}`,
      "prod",
      "ERR_LAKEBASE_CONFIG",
      /the profile "prod" is needed, but is not in \$HOME\/\.databrickscfg; the profiles there are: DEFAULT, dev$/,
    ],
    [
      "there is no default",
      () => `[DEFAULT]\n[dev]\n${person()}`,
      undefined,
      "ERR_LAKEBASE_CONFIG",
      /a profile is needed, but is not in \$HOME\/\.databrickscfg; the profiles there are: DEFAULT, dev$/,
    ],
    [
      "it names no workspace",
      () => "[dev]\ntoken = s3cret\n",
      "dev",
      "ERR_LAKEBASE_CONFIG",
      /`workspaceHost` \(environment: DATABRICKS_HOST\): is needed/,
    ],
    [
      "it names two identities",
      () => `[dev]\n${person()}client_id = a\n`,
      "dev",
      "ERR_LAKEBASE_CONFIG",
      /DATABRICKS_TOKEN, DATABRICKS_CLIENT_ID\): is ambiguous/,
    ],
    [
      "its workspace is not https",
      () => "[dev]\nhost = http://workspace\ntoken = s3cret\n",
      "dev",
      "ERR_LAKEBASE_CONFIG",
      /must be https:\/\/<workspace>/,
    ],
    [
      "its secret is wrong",
      () => `[dev]\n${host()}\nclient_id = ${world.local.servicePrincipal.clientId}\nclient_secret = wrong-s3cret\n`,
      "dev",
      "ERR_LAKEBASE_UNAUTHENTICATED",
      /the client was not accepted/,
    ],
    [
      "its token was revoked",
      () => `[dev]\n${host()}\ntoken = dapi0000s3cret\n`,
      "dev",
      "ERR_LAKEBASE_UNAUTHENTICATED",
      /the identity was not accepted: check its id and secret or token/,
    ],
    [
      "its way to sign in is not supported",
      () => `[dev]\n${host()}\nauth_type = azure-devops-oidc\n`,
      "dev",
      "ERR_LAKEBASE_CONFIG",
      /is azure-devops-oidc, which is not supported; fetch the pipeline's OIDC token/,
    ],
    [
      "nobody is signed in",
      () => `[dev]\n${host()}\nauth_type = databricks-cli\n`,
      "dev",
      "ERR_LAKEBASE_UNAUTHENTICATED",
      "nobody is signed in to the Databricks CLI there; run `databricks auth login --profile dev`",
    ],
  ])("is told what to do where %s", async (_name, text, name, code, message) => {
    await programs.writeConfig(text());
    const failed = await failure(options(name));
    expect(failed).toEqual({ code, message: typeof message === "string" ? message : expect.stringMatching(message) });
  });

  test("is not another workspace's, whatever the options say", async () => {
    await programs.writeConfig(`[dev]\n${person()}`);
    const failed = await failure(options("dev", {}, { workspaceHost: "https://other.cloud.databricks.com" }));
    expect(failed).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(/is https:\/\/other\.cloud\.databricks\.com, but .* belongs to /),
    });
  });

  test("is told where there is no file, and no home to look for one", async () => {
    expect(await failure(options("dev"))).toMatchObject({
      message: expect.stringContaining('the profile "dev" is needed, but $HOME/.databrickscfg is not there'),
    });
    const { HOME: _home, ...env } = options().env ?? {};
    expect(await failure(options("dev", {}, { env }))).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
  });

  test("is read again where it was wrong", async () => {
    const lakebase = world.handle(options("dev"));
    await programs.writeConfig(`[DEFAULT]\n${person()}`);
    expect(await rejection(lakebase.warmup())).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
    await programs.writeConfig(`[dev]\n${person()}`);
    await lakebase.warmup();
  });
});
