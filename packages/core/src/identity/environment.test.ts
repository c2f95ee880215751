import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import { authKinds } from "./auth-methods.ts";
import { selectIdentity } from "./environment.ts";

const host = "DATABRICKS_HOST";
const id = "DATABRICKS_CLIENT_ID";
const secret = "DATABRICKS_CLIENT_SECRET";
const token = "DATABRICKS_TOKEN";
const type = "DATABRICKS_AUTH_TYPE";
const profile = "DATABRICKS_CONFIG_PROFILE";
const workspace = "https://acme.cloud.databricks.com";
const principal = { [id]: "app-id", [secret]: "s3cret" };
const github = { ACTIONS_ID_TOKEN_REQUEST_URL: "https://gh", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "gh-t0ken" };
const azure = { ARM_CLIENT_ID: "arm-id", ARM_CLIENT_SECRET: "arm-s3cret", ARM_TENANT_ID: "tenant" };

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "lakebase-chain-"));
  await writeFile(
    join(home, ".databrickscfg"),
    `[DEFAULT]
host = ${workspace}
token = dapi-default

[principal]
host = https://staging.cloud.databricks.com
client_id = profile-app-id
client_secret = profile-s3cret
workspace_id = 1234

[pinned]
host = ${workspace}
auth_type = databricks-cli
token = dapi-unused

[half]
host = ${workspace}
client_id = profile-app-id
`,
    { mode: 0o600 },
  );
});
afterAll(() => rm(home, { recursive: true }));

async function choose(environment: Record<string, string>) {
  const warnings: string[] = [];
  const surroundings: WorkspaceAuthSurroundings = {
    signal: new AbortController().signal,
    variable: (name) => environment[name],
    environment: () => environment,
    now: Date.now,
    warn: (message) => warnings.push(message),
  };
  const selection = await selectIdentity(surroundings.variable, surroundings);
  const used = selection.candidates.filter(({ outcome }) => outcome === "used").map((candidate) => candidate.type);
  return { ...selection, used, warnings, surroundings };
}

describe("the identity of the environment", () => {
  test.each<[string, Record<string, string>, string, string | undefined, string[]]>([
    ["a personal access token", { [token]: "t" }, "personal-access-token", undefined, ["pat"]],
    ["a service principal", principal, "client-credentials", "app-id", ["oauth-m2m"]],
    [
      "a service principal in GitHub Actions",
      { ...principal, ...github },
      "client-credentials",
      "app-id",
      ["oauth-m2m"],
    ],
    ["a token in GitHub Actions", { [token]: "t", ...github }, "personal-access-token", undefined, ["pat"]],
    ["a job of GitHub Actions", { [host]: workspace, ...github }, "github-oidc", undefined, ["github-oidc"]],
    ["the principal of a job", { [id]: "app-id", ...github }, "github-oidc", "app-id", ["github-oidc"]],
    ["a token of an issuer", { DATABRICKS_OIDC_TOKEN: "j" }, "environment-oidc", undefined, ["env-oidc"]],
    [
      "one of another name",
      { DATABRICKS_OIDC_TOKEN_ENV: "CI_JWT", CI_JWT: "j" },
      "environment-oidc",
      undefined,
      ["env-oidc"],
    ],
    ["a mounted token", { DATABRICKS_OIDC_TOKEN_FILEPATH: "/f", [id]: "a" }, "file-oidc", "a", ["file-oidc"]],
    ["a mounted token by its alias", { DATABRICKS_OIDC_TOKEN_FILE: "/f" }, "file-oidc", undefined, ["file-oidc"]],
    [
      "the token, by choice",
      { [token]: "t", ...principal, [type]: "pat" },
      "personal-access-token",
      undefined,
      ["pat"],
    ],
    [
      "the principal, by choice",
      { [token]: "t", ...principal, [type]: "oauth-m2m" },
      "client-credentials",
      "app-id",
      ["oauth-m2m"],
    ],
    [
      "the Databricks CLI, by choice",
      { [token]: "t", [host]: workspace, [type]: "databricks-cli" },
      "databricks-cli",
      undefined,
      ["databricks-cli"],
    ],
    ["a principal of Entra", azure, "azure-client-secret", "arm-id", ["azure-client-secret"]],
    ["a managed identity", { ARM_USE_MSI: "true" }, "azure-managed-identity", undefined, ["azure-msi"]],
    [
      "a managed identity of a name",
      { ARM_USE_MSI: "1", ARM_CLIENT_ID: "m" },
      "azure-managed-identity",
      "m",
      ["azure-msi"],
    ],
    ["the Azure CLI, by choice", { [type]: "azure-cli" }, "azure-cli", undefined, ["azure-cli"]],
    [
      "a managed identity that is switched off",
      { [token]: "t", ARM_USE_MSI: "false" },
      "personal-access-token",
      undefined,
      ["pat"],
    ],
    ["a token beside a tenant", { [token]: "t", ARM_TENANT_ID: "x" }, "personal-access-token", undefined, ["pat"]],
  ])("is %s", async (_name, environment, kind, user, used) => {
    const found = await choose(environment);
    expect(found.problem).toBeUndefined();
    expect({ kind: found.auth?.kind, user: found.auth?.user, used: found.used }).toEqual({ kind, user, used });
  });

  const noCli =
    "the Databricks CLI is not installed (databricks); see https://docs.databricks.com/dev-tools/cli/install, or set DATABRICKS_CLI_PATH";
  const noAz = "the Azure CLI is not installed (az); see https://learn.microsoft.com/cli/azure/install-azure-cli";
  const none =
    "no identity was found to fetch tokens with; set what one of these needs, or give for example clientCredentials({ clientId, clientSecret }):";
  const list = (...lines: string[]) => lines.map((line) => `\n      ${line}`).join("");

  test.each<[string, Record<string, string>, string, string]>([
    [
      "nothing",
      {},
      "DATABRICKS_…",
      none +
        list(
          "profile: DATABRICKS_CONFIG_PROFILE and HOME are not set",
          "pat: DATABRICKS_TOKEN is not set",
          "oauth-m2m: DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET are not set",
          "databricks-cli: DATABRICKS_HOST is not set",
          "github-oidc: ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set",
          "env-oidc: DATABRICKS_OIDC_TOKEN is not set",
          "file-oidc: DATABRICKS_OIDC_TOKEN_FILEPATH is not set",
          "azure-msi: ARM_USE_MSI is not set",
          "azure-client-secret: ARM_CLIENT_ID and ARM_CLIENT_SECRET are not set",
          "azure-cli: the workspace is not on Azure",
        ),
    ],
    [
      "a workspace on Azure, and no program",
      { [host]: "adb-1.2.azuredatabricks.net", PATH: "/nowhere" },
      "DATABRICKS_…",
      none +
        list(
          "pat: DATABRICKS_TOKEN is not set",
          "oauth-m2m: DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET are not set",
          `databricks-cli: ${noCli}`,
          "github-oidc: ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set",
          "env-oidc: DATABRICKS_OIDC_TOKEN is not set",
          "file-oidc: DATABRICKS_OIDC_TOKEN_FILEPATH is not set",
          "azure-msi: ARM_USE_MSI is not set",
          "azure-client-secret: ARM_CLIENT_ID and ARM_CLIENT_SECRET are not set",
          `azure-cli: ${noAz}`,
        ),
    ],
    [
      "an id alone",
      { [id]: "a", [host]: workspace },
      id,
      `is set, but not what belongs to it:${list(
        "oauth-m2m: DATABRICKS_CLIENT_SECRET is not set",
        "github-oidc: ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set",
        "env-oidc: DATABRICKS_OIDC_TOKEN is not set",
        "file-oidc: DATABRICKS_OIDC_TOKEN_FILEPATH is not set",
      )}`,
    ],
    [
      "both identities",
      { [token]: "t", ...principal },
      `${token}, ${id}, ${secret}`,
      "is ambiguous: DATABRICKS_TOKEN and DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET are set, for different identities; remove all but one's, or choose with DATABRICKS_AUTH_TYPE=pat or oauth-m2m or github-oidc or env-oidc or file-oidc",
    ],
    [
      "a token beside half a pair",
      { [token]: "t", [id]: "a" },
      `${token}, ${id}`,
      "is ambiguous: DATABRICKS_TOKEN and DATABRICKS_CLIENT_ID are set, for different identities; remove all but one's, or choose with DATABRICKS_AUTH_TYPE=pat or oauth-m2m or github-oidc or env-oidc or file-oidc",
    ],
    [
      "an id of Entra alone",
      { ARM_CLIENT_ID: "arm-id", ARM_TENANT_ID: "t", [host]: "https://adb-1.2.azuredatabricks.net" },
      "ARM_CLIENT_ID",
      `is set, but not what belongs to it:${list("azure-msi: ARM_USE_MSI is not set", "azure-client-secret: ARM_CLIENT_SECRET is not set")}`,
    ],
    [
      "a user name alone",
      { DATABRICKS_USERNAME: "u", DATABRICKS_PASSWORD: "p" },
      "DATABRICKS_USERNAME, DATABRICKS_PASSWORD",
      "is for an identity that ended with 2024; use OAuth",
    ],
    [
      "a choice that is not there",
      { [token]: "t", [type]: "oauth-m2m" },
      type,
      "is oauth-m2m, but DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET are not set",
    ],
    [
      "a choice of the CLI for no workspace",
      { [type]: "databricks-cli" },
      type,
      "is databricks-cli, but DATABRICKS_HOST is not set",
    ],
    [
      "a choice that is not supported",
      { [type]: "azure-devops-oidc" },
      type,
      "is azure-devops-oidc, which is not supported; fetch the pipeline's OIDC token into DATABRICKS_OIDC_TOKEN, and use env-oidc",
    ],
    [
      "an unknown choice",
      { [type]: "dapi0123" },
      type,
      "must be one of pat, oauth-m2m, databricks-cli, github-oidc, env-oidc, file-oidc, azure-msi, azure-client-secret, azure-cli",
    ],
    [
      "a choice that every object has",
      { [type]: "constructor" },
      type,
      "must be one of pat, oauth-m2m, databricks-cli, github-oidc, env-oidc, file-oidc, azure-msi, azure-client-secret, azure-cli",
    ],
  ])("is told to be missing where there is %s", async (_name, environment, variable, message) => {
    const found = await choose(environment);
    expect(found.auth).toBeUndefined();
    expect(found.problem).toEqual({ option: "auth", variable, message });
  });

  test.each([
    [
      "another workspace than the profile's",
      { [profile]: "principal", [host]: workspace },
      `is ${workspace}, but the profile principal (DATABRICKS_CONFIG_PROFILE) belongs to https://staging.cloud.databricks.com; remove one of the two`,
    ],
    [
      "a profile and a token",
      { [profile]: "principal", [token]: "t" },
      "is ambiguous: the profile names one identity and the other variables another; remove one of the two",
    ],
    [
      "a profile that is not there",
      { [profile]: "stagin" },
      'the profile "stagin" is needed, but is not in $HOME/.databrickscfg; the profiles there are: DEFAULT, principal, pinned, half',
    ],
    [
      "a file that is not there",
      { [profile]: "dev", DATABRICKS_CONFIG_FILE: "/nowhere" },
      'the profile "dev" is needed, but /nowhere is not there',
    ],
    [
      "a profile with half a pair",
      { [profile]: "half" },
      `is set, but not what belongs to it:${list(
        "oauth-m2m: DATABRICKS_CLIENT_SECRET is not set",
        "github-oidc: ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set",
        "env-oidc: DATABRICKS_OIDC_TOKEN is not set",
        "file-oidc: DATABRICKS_OIDC_TOKEN_FILEPATH is not set",
      )}`,
    ],
  ])("is refused where there is %s", async (_name, environment, message) => {
    const found = await choose({ HOME: home, ...environment });
    expect(found.auth).toBeUndefined();
    expect(found.problem?.message.replaceAll(home, "$HOME")).toBe(message);
  });

  test.each<[string, Record<string, string>, string, string | undefined, string]>([
    ["the default, where nothing else is set", {}, "personal-access-token", undefined, workspace],
    [
      "the one that is named",
      { [profile]: "principal" },
      "client-credentials",
      "profile-app-id",
      "https://staging.cloud.databricks.com",
    ],
    [
      "the one of the workspace that is named too",
      { [profile]: "principal", [host]: "staging.cloud.databricks.com/" },
      "client-credentials",
      "profile-app-id",
      "https://staging.cloud.databricks.com",
    ],
    ["one that chooses among its own fields", { [profile]: "pinned" }, "databricks-cli", undefined, workspace],
    [
      "one whose field is chosen by the environment",
      { [profile]: "pinned", [type]: "pat" },
      "personal-access-token",
      undefined,
      workspace,
    ],
  ])("comes from a profile: %s", async (_name, environment, kind, user, of) => {
    const { auth, problem, surroundings } = await choose({ HOME: home, ...environment });
    expect(problem).toBeUndefined();
    expect({ kind: auth?.kind, user: auth?.user, of: await auth?.workspaceHost?.(surroundings) }).toEqual({
      kind,
      user,
      of,
    });
  });

  test.each([{ [host]: workspace }, { [token]: "t" }, { [type]: "pat" }])(
    "does not come from the default profile where %j is set",
    async (environment) => {
      const { candidates, auth, surroundings } = await choose({ HOME: home, PATH: "", ...environment });
      expect(candidates[0] ?? { outcome: "skipped" }).toMatchObject({ outcome: "skipped" });
      expect(await auth?.workspaceHost?.(surroundings)).toBeUndefined();
    },
  );

  test.each(authKinds.flatMap(({ name, names }) => names.map((variable) => [variable, name] as const)))(
    "is ambiguous where %s stands beside what is for another",
    async (variable, kind) => {
      const [other] = authKinds.filter(({ name }) => name !== kind).map(({ names }) => names[0]);
      const found = await choose({ [variable]: "true", [other as string]: "true" });
      expect(found.problem?.message).toMatch(/^is ambiguous: /);
      expect(found.problem?.variable?.split(", ").sort()).toEqual([variable, other].sort());
    },
  );

  test("says the workspace id of a profile with every call", async () => {
    const { auth } = await choose({ HOME: home, [profile]: "principal" });
    const context = {
      workspaceHost: "https://w",
      request: async () => ({
        json: { access_token: "tok", expires_in: 60, token_endpoint: "https://w/t" },
        serverNow: undefined,
      }),
    };
    const answer = await auth?.getToken({ ...context, ...(await choose({})).surroundings, forced: false });
    expect(answer?.headers).toEqual({ "x-databricks-workspace-id": "1234" });
  });

  test("warns of a file with secrets that others can read", async () => {
    const file = join(home, "shared");
    await writeFile(file, `[DEFAULT]\nhost = ${workspace}\ntoken = t\n`);
    await chmod(file, 0o644);
    const shared = await choose({ DATABRICKS_CONFIG_FILE: file });
    expect(shared.warnings).toEqual([
      `${file} can be read by other users of this machine (mode 644); run \`chmod 600\` on it`,
    ]);
    expect((await choose({ HOME: home })).warnings).toEqual([]);
  });

  test("tells no value that is set, whatever is wrong with it", async () => {
    for (const environment of [
      { [token]: "t0ken", ...principal },
      { [id]: "cl1ent" },
      { [secret]: "s3cret" },
      { DATABRICKS_PASSWORD: "passw0rd" },
      { [type]: "dapi0123" },
      { ...azure, ...principal },
      { ARM_CLIENT_SECRET: "s3cret" },
    ]) {
      const { candidates, problem, auth } = await choose(environment);
      expect(auth).toBeUndefined();
      expect(JSON.stringify({ candidates, problem })).not.toMatch(/t0ken|s3cret|cl1ent|passw0rd|dapi0123/);
    }
  });
});
