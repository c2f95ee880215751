import { setImmediate } from "node:timers/promises";
import { type DatabricksCliOptions, databricksCli, type LakebaseOptions } from "@x/lakebase-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";
import { installPrograms, type ProgramState, type Programs } from "../stand-ins/programs.ts";
import { failureOf, userOf } from "./login-checks.ts";

const world = createWorld(pgAdapter);
const hour = 3_600_000;
let programs: Programs;

beforeAll(async () => {
  programs = await installPrograms(world.local);
});
afterAll(() => programs[Symbol.asyncDispose]());
beforeEach(() => programs.reset());

function options(cli: DatabricksCliOptions = {}, more: LakebaseOptions = {}): LakebaseOptions {
  return {
    env: { ...world.local.env, ...programs.env },
    auth: databricksCli(cli),
    workspaceHost: world.local.workspaceUrl,
    workspaceCa: world.local.ca,
    ...more,
  };
}

const whoIs = (more: LakebaseOptions) => userOf(world, more);

async function failure(more: LakebaseOptions) {
  const error = await failureOf(world, more, ["s3cret"]);
  return { code: error.code, message: error.message, retryable: (error as { retryable?: boolean }).retryable };
}

const commands = () => programs.databricks.runs.map(({ args }) => args.join(" "));

describe("whoever has signed in to the Databricks CLI", () => {
  test("logs in under their own name, at the workspace that is given", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    expect(await whoIs(options())).toBe(world.local.user.userName);
    expect(commands()).toEqual([`auth token --host ${world.local.workspaceUrl}`]);
  });

  test("logs in by a profile, which names the workspace too", async () => {
    await programs.writeConfig(`[dev.eu]\nhost = ${world.local.workspaceUrl}\nauth_type = databricks-cli\n`);
    await programs.databricks.signIn("dev.eu");
    expect(await whoIs(options({ profile: "dev.eu" }, { workspaceHost: undefined }))).toBe(world.local.user.userName);
    expect(commands()).toEqual(["auth token --profile dev.eu"]);
  });

  test("is asked once an hour, and the CLI for a new token as often", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    const lakebase = world.handle(options());
    await lakebase.warmup();
    await lakebase.warmup();
    expect(commands()).toHaveLength(1);
    programs.advance(2 * hour);
    await lakebase.warmup();
    expect(commands()).toHaveLength(2);
    expect(world.requests("token").filter(({ body }) => body.includes("refresh_token"))).toHaveLength(1);
  });

  test("gets a new token where the workspace has revoked the one that the CLI keeps", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    world.local.revokeAll("workspace");
    await world.handle(options()).warmup();
    expect(commands()).toEqual([
      `auth token --host ${world.local.workspaceUrl}`,
      `auth token --host ${world.local.workspaceUrl} --force-refresh`,
    ]);
  });

  test("is told that the token is refused where the CLI cannot be made to get a new one", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    programs.databricks.set({ version: "no force" });
    world.local.revokeAll("workspace");
    expect(await failure(options())).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    expect(commands()).toEqual([
      `auth token --host ${world.local.workspaceUrl}`,
      `auth token --host ${world.local.workspaceUrl} --force-refresh`,
      `auth token --host ${world.local.workspaceUrl}`,
    ]);
  });

  test("is not taken for somebody whom the environment of the process names", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    const env = {
      ...world.local.env,
      ...programs.env,
      DATABRICKS_TOKEN: "other-s3cret",
      DATABRICKS_CONFIG_PROFILE: "other",
      PGPASSWORD: "s3cret",
    };
    expect(await whoIs(options({}, { env }))).toBe(world.local.user.userName);
    const [run] = programs.databricks.runs;
    expect(run?.variables.filter((name) => /^(?:DATABRICKS|PG|LAKEBASE|ARM)/.test(name))).toEqual([]);
    expect(run?.variables).toEqual(expect.arrayContaining(["HOME", "PATH"]));
  });

  test("may have warnings printed beside the token", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    programs.databricks.set({ fault: "warnings" });
    await world.handle(options()).warmup();
  });

  test("is found by a path", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    const env = { ...world.local.env, HOME: programs.home };
    expect(await failure(options({}, { env }))).toMatchObject({ message: expect.stringMatching(/not installed/) });
    await world.handle(options({ path: programs.databricks.path }, { env })).warmup();
    await world.handle(options({}, { env: { ...env, DATABRICKS_CLI_PATH: programs.databricks.path } })).warmup();
  });

  const signIn = () => programs.databricks.signIn(world.local.workspaceUrl);
  const there = () => `--host ${world.local.workspaceUrl}`;
  const cli = "the Databricks CLI";
  const unauthenticated = "ERR_LAKEBASE_UNAUTHENTICATED";
  test.each<[string, () => Promise<void>, Partial<ProgramState>, string, () => string, boolean]>([
    [
      "nobody is signed in",
      async () => {},
      {},
      unauthenticated,
      () => `nobody is signed in to ${cli} there; run \`databricks auth login ${there()}\``,
      false,
    ],
    [
      "the session was ended at the workspace",
      async () => {
        await signIn();
        world.local.signOut(world.local.user.userName);
        programs.advance(2 * hour);
      },
      {},
      unauthenticated,
      () => `nobody is signed in to ${cli} there; run \`databricks auth login ${there()}\``,
      false,
    ],
    [
      "it is the old one in Python",
      signIn,
      { version: "python" },
      unauthenticated,
      () => `${cli} is too old to give out tokens (databricks); install version 0.296 or later`,
      false,
    ],
    [
      "several profiles are for the workspace",
      async () => {
        await programs.writeConfig(
          `[a]\nhost = ${world.local.workspaceUrl}\n[b]\nhost = ${world.local.workspaceUrl}\n`,
        );
      },
      {},
      "ERR_LAKEBASE_CONFIG",
      () =>
        `${cli} has several profiles for this workspace (${there()}); name one: DATABRICKS_CONFIG_PROFILE, or databricksCli({ profile })`,
      false,
    ],
    [
      "the only profile for it is a service principal's",
      async () => {
        await programs.writeConfig(`[a]\nhost = ${world.local.workspaceUrl}\nclient_secret = s3cret\n`);
      },
      {},
      "ERR_LAKEBASE_CONFIG",
      () =>
        `${cli} gives out tokens of people only (${there()}); use configProfile() for the profile of a service principal`,
      false,
    ],
    [
      "it crashes",
      signIn,
      { fault: "crash" },
      unauthenticated,
      () => `${cli} failed with exit code 2; run \`databricks auth token ${there()}\` to see why`,
      false,
    ],
    ["it is killed", signIn, { fault: "killed" }, unauthenticated, () => `${cli} was ended by SIGKILL`, false],
    [
      "it prints no JSON",
      signIn,
      { fault: "garbage" },
      "ERR_LAKEBASE_BAD_RESPONSE",
      () => `${cli} printed no JSON; is databricks what it should be?`,
      false,
    ],
    [
      "it prints nothing",
      signIn,
      { fault: "empty" },
      "ERR_LAKEBASE_BAD_RESPONSE",
      () => `${cli} printed no JSON; is databricks what it should be?`,
      false,
    ],
    [
      "it prints no token",
      signIn,
      { fault: "no token" },
      "ERR_LAKEBASE_BAD_RESPONSE",
      () => `${cli} printed no usable token`,
      false,
    ],
    [
      "it prints without end",
      signIn,
      { fault: "huge" },
      unauthenticated,
      () => `${cli} printed more than 65536 bytes`,
      false,
    ],
    [
      "its clock is far behind",
      signIn,
      { skewMs: -2 * hour },
      unauthenticated,
      () => `${cli} gave a token that has ended; is this machine's clock right?`,
      false,
    ],
  ])("is told what to do where %s", async (_name, prepare, state, code, message, retryable) => {
    await prepare();
    programs.databricks.set(state);
    expect(await failure(options())).toEqual({ code, message: message(), retryable });
  });

  test("is told of a profile that is not there, with those that are", async () => {
    const path = await programs.writeConfig(`[dev]\nhost = ${world.local.workspaceUrl}\n`);
    const message = `the profile "dve" is needed, but is not in ${path}; the profiles there are: dev`;
    const failed = await failure(options({ profile: "dve" }, { workspaceHost: undefined }));
    expect(failed).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringContaining(message) });
  });

  test("is told that the program must not be run", async () => {
    const path = await programs.writeConfig("not a program");
    expect(await failure(options({ path }))).toMatchObject({
      code: unauthenticated,
      message: `${cli} cannot be run (EACCES)`,
    });
  });

  test("cannot keep a login waiting beyond its time, nor leave anything behind", async () => {
    await programs.databricks.signIn(world.local.workspaceUrl);
    programs.databricks.set({ fault: "hang" });
    const lakebase = world.handle(options({}, { connectTimeoutMs: 5000 }));
    const outcome = rejection(lakebase.warmup());
    while (programs.databricks.hanging.length < 2) await setImmediate();
    await lakebase.close();
    expect(await outcome).toMatchObject({ code: "ERR_LAKEBASE_CLOSED" });
    for (const pid of programs.databricks.hanging) while (isAlive(pid)) await setImmediate();
  });

  test.each<[string, DatabricksCliOptions, RegExp]>([
    ["a profile and a host", { profile: "a", host: "https://w" }, /needs a profile or a host, not both/],
    ["an empty profile", { profile: " " }, /databricksCli\.profile`: must be a string that is not empty/],
    ["an option that there is not", { profil: "a" } as DatabricksCliOptions, /databricksCli\.profil`: is no option/],
  ])("is refused with %s", async (_name, cliOptions, message) => {
    const failed = await failure(options(cliOptions));
    expect(failed).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringMatching(message) });
    expect(commands()).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
