import { Command } from "commander";
import { expect, test } from "vitest";
import { addCommonOptions, effectiveEnvironment, flagOf } from "./options.ts";

const environment = {
  LAKEBASE_ENDPOINT: "projects/env/branches/b/endpoints/e",
  LAKEBASE_AUTOSCALING_ENDPOINT: "projects/env/branches/b/endpoints/e",
  PGENDPOINT: "projects/env/branches/b/endpoints/e",
  ENDPOINT_NAME: "projects/env/branches/b/endpoints/e",
  LAKEBASE_BRANCH: "projects/env/branches/b",
  LAKEBASE_AUTOSCALING_BRANCH: "projects/env/branches/b",
  LAKEBASE_PROJECT: "env",
  LAKEBASE_AUTOSCALING_PROJECT: "env",
  LAKEBASE_INSTANCE_NAME: "env",
  PGHOST: "env.example.com",
  PGHOSTADDR: "10.0.0.1",
  PGPORT: "6543",
  PGUSER: "env-user",
  PGPASSWORD: "env-password",
};
const identity = { DATABRICKS_HOST: "https://w", DATABRICKS_TOKEN: "t", PGAPPNAME: "acme+lakebase", PGDATABASE: "d" };

test.each([
  [{ endpoint: "e" }, { LAKEBASE_ENDPOINT: "e" }],
  [
    { branch: "b", project: "p" },
    { LAKEBASE_BRANCH: "b", LAKEBASE_PROJECT: "p" },
  ],
  [{ instance: "i" }, { LAKEBASE_INSTANCE_NAME: "i" }],
  [{ host: "h" }, { PGHOST: "h" }],
  [{ hostAddress: "10.0.0.2" }, { PGHOSTADDR: "10.0.0.2" }],
  [{ port: "1" }, { PGPORT: "1" }],
])("a target from the options, %o, never meets one from the environment", (options, left) => {
  expect(effectiveEnvironment(options, { ...environment, ...identity })).toEqual({ ...identity, ...left });
});

test("what names no target leaves the environment's as it is", () => {
  const env = { ...environment, ...identity };
  expect(effectiveEnvironment({ user: "u", database: "b", applicationName: "n" }, env)).toEqual({
    ...env,
    PGUSER: "u",
    PGDATABASE: "b",
    PGAPPNAME: "n",
  });
});

test("an ENDPOINT_NAME that names no Lakebase is somebody else's", () => {
  expect(effectiveEnvironment({ endpoint: "e" }, { ENDPOINT_NAME: "sagemaker-7" })).toHaveProperty(
    "ENDPOINT_NAME",
    "sagemaker-7",
  );
});

test.each([undefined, "", " "])("the name of this program stands where PGAPPNAME is %o", (PGAPPNAME) => {
  expect(effectiveEnvironment({}, { PGAPPNAME })).toEqual({ PGAPPNAME: "x-lakebase-cli/0.0.0-test" });
});

test("options of core have the flags that the help shows, and secrets have none", () => {
  const help = addCommonOptions(new Command()).helpInformation();
  const known = [
    "endpoint",
    "branch",
    "project",
    "instance",
    "host",
    "hostAddress",
    "port",
    "database",
    "user",
    "applicationName",
  ];
  const flags = [...known, "access", "connectTimeoutMs"].map(flagOf);
  expect(flags).not.toContain(undefined);
  for (const flag of flags) expect(help).toContain(`${flag} <`);
  expect(help.match(/^ {2}--/gm)).toHaveLength(flags.length);
  expect(["password", "auth", "workspaceHost", "ssl.ca", "credential.ttlSeconds"].map(flagOf)).toEqual(
    Array(5).fill(undefined),
  );
});

test.each(["0", "-1", "", "soon", "1e9", "NaN"])("--timeout %o is refused", (value) => {
  const command = addCommonOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  expect(() => command.parse(["--timeout", value], { from: "user" })).toThrow(/number of seconds/);
});

test("--timeout is in seconds, with parts of one", () => {
  expect(addCommonOptions(new Command()).parse(["--timeout", "1.5"], { from: "user" }).opts()).toEqual({
    timeout: 1500,
  });
});
