import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { variablesOf } from "../config/reader.ts";
import { resolveConfig } from "../config.ts";
import type { WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import { configProfile } from "./config-profile.ts";
import { databricksCli } from "./databricks-cli.ts";
import { explainAuth } from "./explain-auth.ts";
import { resolveIdentity } from "./resolved-identity.ts";

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "lakebase-explanation-"));
  const text = `[DEFAULT]
host = https://default.cloud.databricks.com
token = default-s3cret
[principal]
host = https://w.cloud.databricks.com
client_id = profile-id
client_secret = profile-s3cret
[both]
host = https://w.cloud.databricks.com
client_id = profile-id
token = profile-s3cret
[placeless]
token = profile-s3cret
`;
  await writeFile(join(home, ".databrickscfg"), text, { mode: 0o600 });
});
afterAll(() => rm(home, { recursive: true }));

/** Values for every variable that has a say; a run sets some of them. */
const values: Readonly<Record<string, readonly string[]>> = {
  DATABRICKS_HOST: ["https://w.cloud.databricks.com", "adb-1.2.azuredatabricks.net"],
  DATABRICKS_TOKEN: ["t-s3cret"],
  DATABRICKS_CLIENT_ID: ["app-id"],
  DATABRICKS_CLIENT_SECRET: ["c-s3cret"],
  DATABRICKS_AUTH_TYPE: [
    "pat",
    "oauth-m2m",
    "databricks-cli",
    "azure-cli",
    "env-oidc",
    "azure-msi",
    "basic",
    "nonsense",
  ],
  DATABRICKS_CONFIG_PROFILE: ["principal", "both", "placeless", "absent"],
  DATABRICKS_OIDC_TOKEN: ["o-s3cret"],
  DATABRICKS_OIDC_TOKEN_FILEPATH: ["/nowhere/token"],
  DATABRICKS_USERNAME: ["ada"],
  ARM_CLIENT_ID: ["arm-id"],
  ARM_CLIENT_SECRET: ["a-s3cret"],
  ARM_USE_MSI: ["true", "false"],
  HOME: ["(home)"],
};
const always = { PATH: "/nowhere", LAKEBASE_ENDPOINT: "projects/p/branches/b/endpoints/e" };
const job = { ACTIONS_ID_TOKEN_REQUEST_URL: "https://github.example.com", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "g-s3cret" };
/** A few at a time: most of what is set at once is ambiguous. */
const environments = fc
  .tuple(fc.subarray(Object.keys(values), { maxLength: 5 }), fc.constantFrom({}, {}, job))
  .chain(([names, more]) =>
    fc
      .record(Object.fromEntries(names.map((name) => [name, fc.constantFrom(...(values[name] ?? []))])))
      .map((set) => ({ ...always, ...more, ...set })),
  );
const options = fc.record({
  environment: environments,
  given: fc.constantFrom("nothing", "workspace", "profile", "program"),
});

/** What a handle does at its first login. */
async function login(config: ReturnType<typeof resolveConfig>) {
  const surroundings: WorkspaceAuthSurroundings = {
    signal: new AbortController().signal,
    variable: variablesOf(config.environment()),
    environment: config.environment,
    now: Date.now,
    warn: () => {},
  };
  try {
    const identity = await resolveIdentity(config, surroundings);
    return { identity: identity?.auth.kind, user: identity?.auth.user, workspaceHost: identity?.workspaceHost };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

test("what is explained is what a login does, whatever is set; and no secret is in it", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(options, async ({ environment, given }) => {
      const env = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, value === "(home)" ? home : value]),
      ) as Record<string, string>;
      const own =
        given === "workspace"
          ? { workspaceHost: "https://w.cloud.databricks.com" }
          : given === "profile"
            ? { auth: configProfile("principal") }
            : given === "program"
              ? { auth: databricksCli({ host: "https://w.cloud.databricks.com" }) }
              : {};
      const explanation = await explainAuth({ env, ...own });
      const did = await login(resolveConfig({ env, ...own }));
      const { identity, user, workspaceHost, error } = explanation;
      if ("error" in did) expect(error?.message).toBe(did.error);
      else expect({ identity, user, workspaceHost, error }).toEqual({ ...did, error: undefined });
      expect(`${explanation}${JSON.stringify(explanation)}`).not.toContain("s3cret");
      const used = explanation.candidates.filter(({ outcome, type }) => outcome === "used" && type !== "profile");
      if (!error && ["nothing", "profile"].includes(given)) expect(used).toHaveLength(1);
      const outcome = "error" in did ? "none" : String(did.identity);
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }),
    { numRuns: 1500, seed: 20 },
  );
  // The property says nothing where the same thing happens every time.
  expect([...seen.keys()].sort()).toEqual(
    expect.arrayContaining([
      "client-credentials",
      "none",
      "personal-access-token",
      "github-oidc",
      "azure-managed-identity",
    ]),
  );
});
