import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resolveConfig } from "../config.ts";
import { isLakebaseError } from "../error-chain.ts";
import { personalAccessToken } from "../identity/personal-access-token.ts";
import { createLakebase } from "../lakebase.ts";
import type { LakebaseOptions } from "../options.ts";
import { isSecret } from "../secret.ts";
import { targetLabel } from "../target.ts";

type Environment = Record<string, string>;

const auth = personalAccessToken("dapi0123");
const endpoint = "projects/shop/branches/production/endpoints/primary";
const branch = "projects/shop/branches/production";
const zone = "database.us-west-2.cloud.databricks.com";
const host = `ep-cool-river-a1b2c3d4.${zone}`;
const workspace = { DATABRICKS_HOST: "https://acme.cloud.databricks.com", DATABRICKS_TOKEN: "dapi0123" };
const form = "projects/<project>/branches/<branch>/endpoints/<endpoint>";
const notRead = (keys: string) =>
  `; the environment is not read for it, because one of ${keys} is given as an option, or stands in connectionString`;
const targetNotRead = notRead("endpoint, branch, project, instance, host, hostAddress, port, connectionString");
const identityNotRead = notRead("auth, user, password, workspaceHost, workspaceId, workspaceCa");
const whatTo = `is needed to know what to connect to: ${form}; or \`branch\`, \`project\`, \`instance\` (LAKEBASE_INSTANCE_NAME) or \`host\` (PGHOST)`;

describe("what names a database", () => {
  test.each<[string, LakebaseOptions, Environment, string]>([
    ["an endpoint", { endpoint }, {}, endpoint],
    ["an endpoint beside its own branch", { endpoint, branch }, {}, endpoint],
    [
      "an endpoint beside its own project and branch, by their ids",
      { endpoint, project: "shop", branch: "production" },
      {},
      endpoint,
    ],
    ["an endpoint's id beside its branch", { endpoint: "primary", branch }, {}, endpoint],
    ["a branch", { branch }, {}, branch],
    ["a branch's id beside its project", { branch: "production", project: "shop" }, {}, branch],
    ["a project", { project: "projects/shop" }, {}, "projects/shop"],
    ["a project's id", { project: "shop" }, {}, "projects/shop"],
    ["an instance", { instance: "shop-db" }, {}, "instance shop-db"],
    ["a host", { host }, {}, `host ${host}`],
    ["a connection string", { connectionString: `postgresql://${host}` }, {}, `host ${host}`],
    ["an endpoint and a host", { endpoint, host }, {}, endpoint],
    ["LAKEBASE_ENDPOINT", {}, { LAKEBASE_ENDPOINT: endpoint }, endpoint],
    ["LAKEBASE_AUTOSCALING_ENDPOINT", {}, { LAKEBASE_AUTOSCALING_ENDPOINT: endpoint }, endpoint],
    ["PGENDPOINT", {}, { PGENDPOINT: endpoint }, endpoint],
    ["ENDPOINT_NAME", {}, { ENDPOINT_NAME: endpoint }, endpoint],
    ["LAKEBASE_BRANCH", {}, { LAKEBASE_BRANCH: branch }, branch],
    ["LAKEBASE_AUTOSCALING_BRANCH", {}, { LAKEBASE_AUTOSCALING_BRANCH: branch }, branch],
    ["LAKEBASE_PROJECT", {}, { LAKEBASE_PROJECT: "shop" }, "projects/shop"],
    ["LAKEBASE_AUTOSCALING_PROJECT", {}, { LAKEBASE_AUTOSCALING_PROJECT: "projects/shop" }, "projects/shop"],
    [
      "project and branch by different names",
      {},
      { LAKEBASE_PROJECT: "shop", LAKEBASE_AUTOSCALING_BRANCH: "production" },
      branch,
    ],
    [
      "all of a platform's at once",
      {},
      {
        LAKEBASE_AUTOSCALING_PROJECT: "shop",
        LAKEBASE_AUTOSCALING_BRANCH: "production",
        LAKEBASE_ENDPOINT: endpoint,
        PGENDPOINT: endpoint,
        PGHOST: host,
      },
      endpoint,
    ],
    ["LAKEBASE_INSTANCE_NAME", {}, { LAKEBASE_INSTANCE_NAME: "shop-db" }, "instance shop-db"],
    ["PGHOST", {}, { PGHOST: host }, `host ${host}`],
    [
      "PGHOST beside an ENDPOINT_NAME of another product",
      {},
      { PGHOST: host, ENDPOINT_NAME: "my-model" },
      `host ${host}`,
    ],
    ["nothing", {}, {}, "(no target)"],
    ["an ENDPOINT_NAME of another product", {}, { ENDPOINT_NAME: "my-model" }, "(no target)"],
    ["an empty variable", {}, { LAKEBASE_ENDPOINT: " ", LAKEBASE_PROJECT: "" }, "(no target)"],
  ])("is %s", (_name, options, env, expected) => {
    expect(targetLabel(resolveConfig({ env, ...options }).target)).toBe(expected);
  });
});

test("a read-write host of the environment may be read from only: its other host is asked of the workspace", () => {
  expect(resolveConfig({ access: "read-only", env: { PGHOST: host } })).toMatchObject({
    host,
    scope: { access: "read-only" },
  });
});

describe("what contradicts itself or is malformed is told at once, word for word:", () => {
  const problem = (option: string, message: string, variable?: string) =>
    `\`${option}\`${variable === undefined ? "" : ` (environment: ${variable})`}: ${message}`;
  const mustBe = (depth: number) => `must be of the form ${form.split("/").slice(0, depth).join("/")}`;
  const uid = `${mustBe(6)}, whose end is an id like "primary" and no uid`;
  const oneHost = "must be one host name or address, without a scheme, port or path";
  const instanceName = "must be a name of letters, digits and hyphens; others go to `endpoint` or `host`";
  const reads = "is a read-write host, but `access` is read-only";
  const emptyText = "must be a string that is not empty";
  const other = "projects/other/branches/production/endpoints/primary";

  test.each<[string, object, Environment, string[]]>([
    ["an endpoint's id alone", { endpoint: "primary" }, {}, [problem("endpoint", mustBe(6))]],
    ["a branch as endpoint", { endpoint: branch }, {}, [problem("endpoint", mustBe(6))]],
    ["a uid as endpoint", { endpoint: "ep-cool-river-a1b2c3d4" }, {}, [problem("endpoint", uid)]],
    [
      "a uid as endpoint, in its branch",
      {},
      { LAKEBASE_BRANCH: branch, PGENDPOINT: "ep-cool-river-a1b2c3d4" },
      [problem("endpoint", uid, "PGENDPOINT")],
    ],
    ["an endpoint that is no text", { endpoint: 5 }, {}, [problem("endpoint", emptyText)]],
    ["an empty endpoint", { endpoint: "" }, { LAKEBASE_ENDPOINT: endpoint }, [problem("endpoint", emptyText)]],
    ["an empty project", { project: " " }, {}, [problem("project", emptyText)]],
    ["a branch's id alone", { branch: "production" }, {}, [problem("branch", mustBe(4))]],
    [
      "a branch's id alone, in the environment",
      {},
      { LAKEBASE_BRANCH: "production" },
      [problem("branch", mustBe(4), "LAKEBASE_BRANCH")],
    ],
    [
      "a branch's id, whose project stands in the environment",
      { branch: "production" },
      { LAKEBASE_PROJECT: "shop" },
      [problem("branch", mustBe(4))],
    ],
    ["a project's title", { project: "My Shop" }, {}, [problem("project", mustBe(2))]],
    [
      "a project's title, in the environment",
      {},
      { LAKEBASE_AUTOSCALING_PROJECT: "My Shop" },
      [problem("project", mustBe(2), "LAKEBASE_AUTOSCALING_PROJECT")],
    ],
    ["an endpoint as project", { project: endpoint }, {}, [problem("project", mustBe(2))]],
    [
      "a branch of another project",
      { project: "other", branch },
      {},
      [problem("branch", "is not in projects/other/; remove one")],
    ],
    [
      "a branch of another project, in the environment",
      {},
      { LAKEBASE_PROJECT: "other", LAKEBASE_AUTOSCALING_BRANCH: branch },
      [problem("branch", "is not in projects/other/; remove one", "LAKEBASE_AUTOSCALING_BRANCH")],
    ],
    [
      "an endpoint of another branch",
      { branch: "projects/shop/branches/dev", endpoint },
      {},
      [problem("endpoint", "is not in projects/shop/branches/dev/; remove one")],
    ],
    [
      "an endpoint of another project, in the environment",
      {},
      { LAKEBASE_AUTOSCALING_PROJECT: "shop", LAKEBASE_ENDPOINT: other },
      [problem("endpoint", "is not in projects/shop/; remove one", "LAKEBASE_ENDPOINT")],
    ],
    [
      "an endpoint and an instance",
      { endpoint, instance: "shop-db" },
      {},
      [problem("instance", "stands beside endpoint; remove one")],
    ],
    [
      "a project and an instance",
      { project: "shop", instance: "shop-db" },
      {},
      [problem("instance", "stands beside project; remove one")],
    ],
    [
      "an endpoint and an instance, in the environment",
      {},
      { PGENDPOINT: endpoint, LAKEBASE_INSTANCE_NAME: "shop-db" },
      [problem("instance", "stands beside PGENDPOINT; remove one", "LAKEBASE_INSTANCE_NAME")],
    ],
    [
      "a branch and an instance, in the environment",
      {},
      { LAKEBASE_BRANCH: branch, LAKEBASE_INSTANCE_NAME: "shop-db" },
      [problem("instance", "stands beside LAKEBASE_BRANCH; remove one", "LAKEBASE_INSTANCE_NAME")],
    ],
    [
      "two endpoints in the environment",
      {},
      { LAKEBASE_ENDPOINT: endpoint, PGENDPOINT: other },
      [problem("endpoint", "differs from LAKEBASE_ENDPOINT; remove one", "PGENDPOINT")],
    ],
    [
      "three endpoints in the environment",
      {},
      { LAKEBASE_AUTOSCALING_ENDPOINT: endpoint, PGENDPOINT: other, ENDPOINT_NAME: other },
      [
        problem("endpoint", "differs from LAKEBASE_AUTOSCALING_ENDPOINT; remove one", "PGENDPOINT"),
        problem("endpoint", "differs from LAKEBASE_AUTOSCALING_ENDPOINT; remove one", "ENDPOINT_NAME"),
      ],
    ],
    [
      "two branches in the environment",
      {},
      { LAKEBASE_BRANCH: branch, LAKEBASE_AUTOSCALING_BRANCH: "projects/shop/branches/dev" },
      [problem("branch", "differs from LAKEBASE_BRANCH; remove one", "LAKEBASE_AUTOSCALING_BRANCH")],
    ],
    [
      "two projects in the environment",
      {},
      { LAKEBASE_PROJECT: "shop", LAKEBASE_AUTOSCALING_PROJECT: "other" },
      [problem("project", "differs from LAKEBASE_PROJECT; remove one", "LAKEBASE_AUTOSCALING_PROJECT")],
    ],
    [
      "an instance's host as instance",
      { instance: "instance-3f2a1b4c-0d1e-4f5a-8b6c-7d8e9f0a1b2c" },
      {},
      [problem("instance", instanceName)],
    ],
    [
      "an endpoint as instance",
      {},
      { LAKEBASE_INSTANCE_NAME: endpoint },
      [problem("instance", instanceName, "LAKEBASE_INSTANCE_NAME")],
    ],
    ["a host with its port", { host: `${host}:5432` }, {}, [problem("host", oneHost)]],
    ["a host that is a URL", {}, { PGHOST: `https://${host}` }, [problem("host", oneHost, "PGHOST")]],
    [
      "an address with its port",
      {},
      { PGHOST: host, PGHOSTADDR: "127.0.0.1:5432" },
      [problem("hostAddress", oneHost, "PGHOSTADDR")],
    ],
    ["a port that is none", { endpoint, port: 0 }, {}, [problem("port", "must be a port from 1 to 65535")]],
    [
      "a port that is none, in the environment",
      {},
      { PGPORT: "5432x" },
      [problem("port", "must be a port from 1 to 65535", "PGPORT")],
    ],
    [
      "a host beside another one in the connection string",
      { host: "db.example", connectionString: `postgresql://${host}` },
      {},
      [problem("host", "is also in `connectionString`; give it once")],
    ],
    [
      "a host of another product",
      { endpoint, host: "db.example" },
      {},
      [
        problem(
          "host",
          "is not a Lakebase host (db.example), so no token is sent to it; if it is yours, name it in `trustedHosts` or LAKEBASE_TRUSTED_HOSTS",
        ),
      ],
    ],
    [
      "a host of another product, in the environment",
      {},
      { PGHOST: "db.example" },
      [
        problem(
          "host",
          "is not a Lakebase host (db.example), so no token is sent to it; if it is yours, name it in `trustedHosts` or LAKEBASE_TRUSTED_HOSTS",
          "PGHOST",
        ),
      ],
    ],
    [
      "a pooler with tokens",
      {},
      { PGHOST: `ep-cool-river-a1b2c3d4-pooler.${zone}` },
      [
        problem(
          "host",
          `is a pooler (ep-cool-river-a1b2c3d4-pooler.${zone}), which does not accept tokens; use the host without -pooler, or a native role`,
          "PGHOST",
        ),
      ],
    ],
    ["a read-write host to read only", { host, access: "read-only" }, {}, [problem("host", reads)]],
    [
      "a read-write host to read only, by a native role",
      { host, user: "app", password: "pw", access: "read-only" },
      {},
      [problem("host", reads)],
    ],
    [
      "a read-write host to read only, by a native role of the environment",
      { access: "read-only" },
      { PGHOST: host, PGUSER: "app", PGPASSWORD: "pw" },
      [problem("host", reads, "PGHOST")],
    ],
    [
      "the life of an instance's tokens",
      { instance: "shop-db", credential: { ttlSeconds: 600 } },
      {},
      [problem("credential.ttlSeconds", "cannot be chosen for an instance")],
    ],
    [
      "all of it together",
      { endpoint: "x", instance: "a b", port: -1, hostAddress: "?" },
      {},
      [
        problem("endpoint", mustBe(6)),
        problem("instance", "stands beside endpoint; remove one"),
        problem("instance", instanceName),
        problem("hostAddress", oneHost),
        problem("port", "must be a port from 1 to 65535"),
      ],
    ],
  ])("%s", (_name, options, env, problems) => {
    const [only] = problems;
    const whole =
      problems.length === 1
        ? `Lakebase configuration: ${only}`
        : `Lakebase configuration has ${problems.length} problems:\n${problems.map((line) => `  - ${line}`).join("\n")}`;
    expect(() => createLakebase({ env, ...options })).toThrow(
      expect.objectContaining({ message: whole, code: expect.stringMatching(/^ERR_LAKEBASE_(CONFIG|HOST_REFUSED)$/) }),
    );
  });
});

describe("what is missing is told by the first login, word for word:", () => {
  test.each<[string, LakebaseOptions, Environment, { option: string; variable?: string; message: string }[]]>([
    ["a target", {}, workspace, [{ option: "endpoint", variable: "LAKEBASE_ENDPOINT", message: whatTo }]],
    [
      "a target beside a port, and that the environment is not read",
      { port: 5432 },
      { ...workspace, LAKEBASE_ENDPOINT: endpoint },
      [{ option: "endpoint", variable: "LAKEBASE_ENDPOINT", message: `${whatTo}${targetNotRead}` }],
    ],
    [
      "a target beside an address",
      { hostAddress: "127.0.0.1" },
      { ...workspace, PGHOST: host },
      [{ option: "endpoint", variable: "LAKEBASE_ENDPOINT", message: `${whatTo}${targetNotRead}` }],
    ],
    [
      "a target beside a trusted host",
      { host: "db.example", trustedHosts: ["db.example"] },
      workspace,
      [
        {
          option: "endpoint",
          variable: "LAKEBASE_ENDPOINT or LAKEBASE_INSTANCE_NAME",
          message: `is needed beside the host, because tokens are minted for it: ${form}, or \`instance\`${targetNotRead}`,
        },
      ],
    ],
    [
      "a target beside a trusted host of the environment",
      {},
      { ...workspace, PGHOST: "db.example", LAKEBASE_TRUSTED_HOSTS: "db.example" },
      [
        {
          option: "endpoint",
          variable: "LAKEBASE_ENDPOINT or LAKEBASE_INSTANCE_NAME",
          message: `is needed beside the host, because tokens are minted for it: ${form}, or \`instance\``,
        },
      ],
    ],
    [
      "host and user of a native role",
      { password: "pw" },
      { PGHOST: host, PGUSER: "app" },
      [
        {
          option: "user",
          variable: "PGUSER",
          message: `is needed beside a password: the native role${identityNotRead}`,
        },
      ],
    ],
    [
      "the user of a native role",
      {},
      { PGHOST: host, PGPASSWORD: "pw" },
      [{ option: "user", variable: "PGUSER", message: "is needed beside a password: the native role" }],
    ],
    [
      "the host of a native role, which no workspace is asked for",
      { endpoint, user: "app", password: "pw" },
      { PGHOST: host },
      [
        {
          option: "host",
          variable: "PGHOST",
          message: `is needed beside a password, because no workspace is asked for it${targetNotRead}`,
        },
      ],
    ],
    [
      "a workspace beside an identity",
      { auth },
      { ...workspace, LAKEBASE_ENDPOINT: endpoint },
      [
        {
          option: "workspaceHost",
          variable: "DATABRICKS_HOST",
          message: `is needed to fetch tokens: https://<workspace>${identityNotRead}`,
        },
      ],
    ],
  ])("%s", async (_name, options, env, problems) => {
    const lakebase = createLakebase({ env, ...options });
    await expect(lakebase.warmup()).rejects.toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems });
    await expect(lakebase.credential()).rejects.toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems });
    await lakebase.close();
  });
});

/**
 * The rule of groups, over everything that can be given: `mine` stands in options, `theirs` in the environment, and a
 * login must never mix the two within a group.
 */
describe("nobody logs in to another database or as somebody else", () => {
  const name = (whose: string) => `projects/${whose}/branches/main/endpoints/primary`;
  const hostOf = (whose: string) => `ep-${whose}-a1b2c3d4.${zone}`;
  const targets: readonly LakebaseOptions[] = [
    {},
    { endpoint: name("mine") },
    { branch: "projects/mine/branches/main" },
    { project: "mine", branch: "main" },
    { project: "mine" },
    { instance: "mine" },
    { host: hostOf("mine") },
    { endpoint: name("mine"), host: hostOf("mine"), hostAddress: "10.0.0.1", port: 1 },
    { connectionString: `postgresql://${hostOf("mine")}:1/orders` },
    { port: 1 },
    { hostAddress: "10.0.0.1" },
  ];
  const identities: readonly LakebaseOptions[] = [
    {},
    { auth, workspaceHost: "https://mine.example" },
    { auth, user: "mine" },
    { auth },
    { user: "mine" },
    { user: "mine", password: "mine" },
    { password: () => "mine" },
    { workspaceHost: "https://mine.example" },
    { workspaceId: "1" },
    { workspaceCa: "-----BEGIN CERTIFICATE-----\nmine\n-----END CERTIFICATE-----" },
  ];
  const targetVariables: Environment = {
    LAKEBASE_ENDPOINT: name("theirs"),
    LAKEBASE_AUTOSCALING_ENDPOINT: name("theirs"),
    PGENDPOINT: name("theirs"),
    ENDPOINT_NAME: name("theirs"),
    LAKEBASE_BRANCH: "main",
    LAKEBASE_PROJECT: "theirs",
    LAKEBASE_AUTOSCALING_BRANCH: "projects/theirs/branches/main",
    LAKEBASE_AUTOSCALING_PROJECT: "projects/theirs",
    LAKEBASE_INSTANCE_NAME: "theirs",
    PGHOST: hostOf("theirs"),
    PGHOSTADDR: "10.0.0.2",
    PGPORT: "2",
  };
  const identityVariables: Environment = {
    PGUSER: "theirs",
    PGPASSWORD: "theirs",
    DATABRICKS_HOST: "https://theirs.example",
    DATABRICKS_CLIENT_ID: "theirs",
    DATABRICKS_CLIENT_SECRET: "theirs",
    DATABRICKS_TOKEN: "theirs",
    DATABRICKS_WORKSPACE_ID: "2",
    LAKEBASE_WORKSPACE_CA: "/theirs.pem",
  };
  const some = (variables: Environment) =>
    fc
      .subarray(Object.keys(variables))
      .map((names) => Object.fromEntries(names.map((key) => [key, variables[key] ?? ""])));

  test("whatever is given beside whatever stands in the environment", () => {
    let accepted = 0;
    const check = (target: LakebaseOptions, identity: LakebaseOptions, env: Environment) => {
      const config = (() => {
        try {
          return resolveConfig({ ...target, ...identity, env });
        } catch (error) {
          // Refused: nobody logs in at all.
          expect(isLakebaseError(error)).toBe(true);
          return undefined;
        }
      })();
      if (config === undefined) return;
      accepted += 1;
      const targetGiven = Object.keys(target).length > 0;
      const identityGiven = Object.keys(identity).length > 0;
      const { identity: who } = config;

      const place = [config.target?.name, config.host, config.hostAddress, String(config.port)].join(" ");
      if (targetGiven) expect(place).not.toMatch(/theirs|10\.0\.0\.2|\b2$/);
      else expect(place).not.toMatch(/mine|10\.0\.0\.1|\b1$/);

      const asked = JSON.stringify([config.workspaceHost, config.workspaceId, config.workspaceCa]);
      if (identityGiven) expect(asked).not.toMatch(/theirs|"2"/);
      else expect(asked).not.toMatch(/mine|"1"/);
      if (who.kind === "oauth") {
        expect(who.environment === undefined).toBe(identityGiven);
        expect(who.auth).toBe(identity.auth);
      } else {
        const password = isSecret(who.password) ? who.password.reveal() : who.password();
        // A password of the environment is for the bare host that stands beside it, and for no other.
        if (identityGiven) expect(password).toBe("mine");
        else expect([password, targetGiven, config.target?.kind]).toEqual(["theirs", false, "host"]);
      }
      // PGUSER is a user of the database that PGHOST names.
      if (who.user === "theirs") expect([targetGiven, identityGiven]).toEqual([false, false]);
      if (identity.user !== undefined) expect(who.user).toBe("mine");
    };
    // All of the options against the whole environment and none, and against any part of it.
    for (const target of targets) {
      for (const identity of identities) {
        for (const env of [{}, targetVariables, identityVariables, { ...targetVariables, ...identityVariables }]) {
          check(target, identity, env);
        }
      }
    }
    const parts = fc.tuple(some(targetVariables), some(identityVariables)).map(([one, two]) => ({ ...one, ...two }));
    fc.assert(fc.property(fc.constantFrom(...targets), fc.constantFrom(...identities), parts, check), {
      numRuns: 3000,
    });
    expect(accepted).toBeGreaterThan(1500);
  });
});
