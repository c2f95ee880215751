import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { explainAuth, type LakebaseOptions } from "@x/lakebase-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";
import { installPrograms, type Programs } from "../stand-ins/programs.ts";

const world = createWorld(pgAdapter);
let programs: Programs;
type Env = Record<string, string>;

beforeAll(async () => {
  programs = await installPrograms(world.local);
});
afterAll(() => programs[Symbol.asyncDispose]());
beforeEach(() => programs.reset());

/** What names the database and nobody. */
function place(): Env {
  const { DATABRICKS_HOST, DATABRICKS_CLIENT_ID, DATABRICKS_CLIENT_SECRET, PGUSER, ...env } = world.local.env;
  return { ...env, ...programs.env };
}
const host = (): Env => ({ DATABRICKS_HOST: world.local.workspaceUrl });
const principal = (): Env => ({
  DATABRICKS_CLIENT_ID: world.local.servicePrincipal.clientId,
  DATABRICKS_CLIENT_SECRET: world.local.servicePrincipal.clientSecret,
});
const token = (): Env => ({ DATABRICKS_TOKEN: world.local.user.personalAccessToken });
const azureResource: Env = { DATABRICKS_AZURE_RESOURCE_ID: "/subscriptions/s/workspaces/w" };
const theUser = () => world.local.user.userName;
const thePrincipal = () => world.local.servicePrincipal.clientId;

/** The explanation, after it was searched for secrets. */
async function explained(options: LakebaseOptions) {
  const explanation = await explainAuth(options);
  const said = `${explanation}${inspect(explanation, { depth: 9 })}${JSON.stringify(explanation)}`;
  expect(world.local.secrets().filter((secret) => said.includes(secret))).toEqual([]);
  return explanation;
}

describe("the environment", () => {
  test.each<[string, () => Env | Promise<Env>, string, () => string, "environment" | "profile"]>([
    [
      "an app of Databricks",
      () => ({ ...host(), ...principal(), PGUSER: thePrincipal() }),
      "client-credentials",
      thePrincipal,
      "environment",
    ],
    ["a token", () => ({ ...host(), ...token() }), "personal-access-token", theUser, "environment"],
    [
      "a token, by choice",
      () => ({ ...host(), ...token(), ...principal(), DATABRICKS_AUTH_TYPE: "pat" }),
      "personal-access-token",
      theUser,
      "environment",
    ],
    [
      "somebody in the Databricks CLI",
      async () => {
        await programs.databricks.signIn(world.local.workspaceUrl);
        return host();
      },
      "databricks-cli",
      theUser,
      "environment",
    ],
    [
      "somebody in both CLIs",
      async () => {
        await programs.databricks.signIn(world.local.workspaceUrl);
        await programs.az.signIn("account");
        return { ...host(), ...azureResource };
      },
      "databricks-cli",
      theUser,
      "environment",
    ],
    [
      "somebody in the Azure CLI only",
      async () => {
        await programs.az.signIn("account");
        return { ...host(), ...azureResource };
      },
      "azure-cli",
      theUser,
      "environment",
    ],
    [
      "somebody in a CLI, and a token",
      async () => {
        await programs.databricks.signIn(world.local.workspaceUrl, (await world.local.addPeople(1))[0]?.userName);
        return { ...host(), ...token() };
      },
      "personal-access-token",
      theUser,
      "environment",
    ],
    [
      "a token of an issuer",
      async () => ({
        ...host(),
        DATABRICKS_CLIENT_ID: thePrincipal(),
        DATABRICKS_OIDC_TOKEN: await world.local.issueSubjectToken(),
      }),
      "environment-oidc",
      thePrincipal,
      "environment",
    ],
    [
      "a mounted token",
      async () => {
        const path = join(programs.home, "token");
        await writeFile(path, await world.local.issueSubjectToken({ subject: theUser() }));
        return { ...host(), DATABRICKS_OIDC_TOKEN_FILEPATH: path };
      },
      "file-oidc",
      theUser,
      "environment",
    ],
    [
      "the default profile",
      async () => {
        await programs.writeConfig(
          `[DEFAULT]\nhost = ${world.local.workspaceUrl}\ntoken = ${token().DATABRICKS_TOKEN}\n`,
        );
        return {};
      },
      "personal-access-token",
      theUser,
      "profile",
    ],
    [
      "a profile of a principal",
      async () => {
        const { DATABRICKS_CLIENT_ID: id, DATABRICKS_CLIENT_SECRET: secret } = principal();
        await programs.writeConfig(
          `[DEFAULT]\ntoken = other\n[prod]\nhost = ${world.local.workspaceUrl}\nclient_id = ${id}\nclient_secret = ${secret}\n`,
        );
        return { DATABRICKS_CONFIG_PROFILE: "prod" };
      },
      "client-credentials",
      thePrincipal,
      "profile",
    ],
    [
      "a profile of somebody in the CLI",
      async () => {
        await programs.writeConfig(`[dev]\nhost = ${world.local.workspaceUrl}\n`);
        await programs.databricks.signIn("dev");
        return { DATABRICKS_CONFIG_PROFILE: "dev", ...host() };
      },
      "databricks-cli",
      theUser,
      "profile",
    ],
  ])("with %s is who it is explained to be", async (_name, environment, identity, user, source) => {
    const env = { ...place(), ...(await environment()) };
    const before = world.requests().length;
    const explanation = await explained({ env, clock: world.local.clock });
    expect(explanation).toMatchObject({ identity, source, error: undefined, workspaceHost: world.local.workspaceUrl });
    expect([user(), undefined]).toContain(explanation.user);
    // Nobody was asked but the programs.
    expect(world.requests().slice(before)).toEqual([]);
    const [row] = await world.open({ lakebase: world.handle({ env }) }).query("select current_user::text as me");
    expect(row?.me).toBe(user());
  });

  test("takes nobody after a program that fails, who would be somebody else", async () => {
    await programs.az.signIn("account");
    programs.databricks.set({ fault: "crash" });
    const env = { ...place(), ...host(), ...azureResource };
    const error = await rejection(world.handle({ env }).warmup());
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringMatching(/^the Databricks CLI failed with exit code 2; run `databricks auth token --host /),
    });
    const explanation = await explained({ env });
    expect(explanation).toMatchObject({ identity: undefined, error: { message: error.message } });
  });

  test("lacks only somebody where the default profile names a workspace", async () => {
    await programs.writeConfig(`[DEFAULT]\nhost = ${world.local.workspaceUrl}\n`);
    const error = await rejection(world.handle({ env: place() }).warmup());
    expect((error as { problems?: unknown }).problems).toEqual([
      {
        option: "auth",
        variable: "DATABRICKS_…",
        message: expect.stringContaining(
          "databricks-cli: nobody is signed in to the Databricks CLI there; run `databricks auth login --profile DEFAULT`\n",
        ),
      },
    ]);
  });

  test("asks no program where a job of GitHub Actions has its own identity", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    const job = { ACTIONS_ID_TOKEN_REQUEST_URL: "https://github.example.com", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "t" };
    expect(await explained({ env: { ...place(), ...host(), ...job } })).toMatchObject({ identity: "github-oidc" });
    expect(programs.databricks.runs).toEqual([]);
  });

  test("is searched once, and again where nothing was found", async () => {
    const env = { ...place(), ...host() };
    const lakebase = world.handle({ env });
    const outcomes = await Promise.all([rejection(lakebase.warmup()), rejection(lakebase.warmup())]);
    expect(outcomes).toEqual([expect.objectContaining({ code: "ERR_LAKEBASE_CONFIG" }), outcomes[0]]);
    expect(programs.databricks.runs).toHaveLength(1);
    await programs.databricks.signIn(world.local.workspaceUrl);
    await lakebase.warmup();
  });

  test("that is none has nobody in it: no home, no program, no profile", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    await programs.writeConfig(`[DEFAULT]\nhost = ${world.local.workspaceUrl}\ntoken = ${token().DATABRICKS_TOKEN}\n`);
    const { endpoint } = world.local;
    const error = await rejection(world.handle({ endpoint, env: {} }).warmup());
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(/profile: DATABRICKS_CONFIG_PROFILE and HOME are not set\n/),
    });
    expect(programs.databricks.runs).toEqual([]);
  });

  test("is not read for an identity of which the options give a part", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    const env = { ...place(), ...host(), ...principal() };
    for (const given of [{ workspaceHost: world.local.workspaceUrl }, { user: "ada@example.com" }]) {
      const error = await rejection(world.handle({ env, ...given }).warmup());
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringMatching(/`auth`: is needed/) });
      expect(await explained({ env, ...given })).toMatchObject({ identity: undefined, candidates: [] });
    }
    expect(programs.databricks.runs).toEqual([]);
  });
});

describe("the explanation", () => {
  test("is a text for people", async () => {
    await programs.az.signIn("account");
    const env = { ...place(), ...host(), ...azureResource };
    const text = String(await explained({ env })).replaceAll(world.local.workspaceUrl, "https://w");
    expect(text.replace(world.local.endpoint, "projects/p")).toBe(`identity:  azure-cli, from the environment
workspace: https://w, named by DATABRICKS_HOST
user:      the workspace is asked at the first login
target:    projects/p
  skipped  profile              DATABRICKS_HOST is set
  missing  pat                  DATABRICKS_TOKEN is not set
  missing  oauth-m2m            DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET are not set
  missing  databricks-cli       nobody is signed in to the Databricks CLI there; run \`databricks auth login --host https://w\`
  missing  github-oidc          ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set
  missing  env-oidc             DATABRICKS_OIDC_TOKEN is not set
  missing  file-oidc            DATABRICKS_OIDC_TOKEN_FILEPATH is not set
  missing  azure-msi            ARM_USE_MSI is not set
  missing  azure-client-secret  ARM_CLIENT_ID and ARM_CLIENT_SECRET are not set
  used     azure-cli            somebody is signed in`);
  });

  test("tells of the options' own identity, and of a role with a password", async () => {
    const { nativeRole } = world.local;
    const env = { PGHOST: world.local.host, PGUSER: nativeRole.user, PGPASSWORD: nativeRole.password };
    expect(await explained({ env })).toMatchObject({
      identity: "native",
      source: "environment",
      user: nativeRole.user,
    });
    const auth = { kind: "own", user: "ada", getToken: () => Promise.reject(new Error("not asked")) };
    const { endpoint } = world.local;
    expect(await explained({ env: {}, endpoint, auth, workspaceHost: "https://w" })).toMatchObject({
      identity: "own",
      source: "options",
      user: "ada",
      workspaceHost: "https://w",
      workspaceSource: "the option workspaceHost",
      error: undefined,
    });
  });

  test("is refused for options that contradict each other", async () => {
    expect(await rejection(explainAuth({ env: {}, endpoint: "x", instance: "y" }))).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
    });
  });
});
