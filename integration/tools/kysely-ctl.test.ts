import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";

const execute = promisify(execFile);
const program = fileURLToPath(new URL("dist/bin.mjs", import.meta.resolve("kysely-ctl/package.json")));
const application = fileURLToPath(new URL("kysely-ctl", import.meta.url));

let local: LocalLakebase;
beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());

/** Runs kysely-ctl in a user's folder, with an environment that has nothing else in it. */
async function kyselyCtl(command: string[], env: Record<string, string> = local.env) {
  // Without its cache, so that nothing is written beside the fixtures, and without asking the registry for news.
  const args = [program, ...command, "--cwd", application, "--no-filesystem-caching", "--no-outdated-check"];
  const options = { env: { PATH: process.env.PATH, ...env }, timeout: 15_000 };
  const result = await execute(process.execPath, args, options).then(
    (output) => ({ ...output, code: 0 }),
    (error) => error as { stdout: string; stderr: string; code: number },
  );
  return { code: result.code, output: result.stdout + result.stderr };
}

test("kysely-ctl migrates up and down by a TypeScript config with LakebaseDialect, and says so", async () => {
  expect(await kyselyCtl(["migrate", "list"])).toMatchObject({ code: 0, output: expect.stringContaining("[ ]") });
  for (const [command, ...told] of [
    ["latest", "Migration complete", "Ran 1 migration", "[✓] 2024-02-29-orders"],
    ["latest", "no new migrations found"],
    ["list", "[✓] 2024-02-29-orders"],
    ["down", "Migration complete", "Undone 1 migration", "2024-02-29-orders"],
    ["up", "Ran 1 migration", "[✓] 2024-02-29-orders"],
  ] as const) {
    const { code, output } = await kyselyCtl(["migrate", command]);
    expect(code, output).toBe(0);
    for (const text of told) expect(output).toContain(text);
  }
  const { output } = await kyselyCtl(["sql", "select count(*)::int as orders from orders", "--format", "json"]);
  expect(JSON.parse(output).rows).toEqual([{ orders: 0 }]);
  // One login a command: nothing of it went round the dialect.
  expect(local.logins.map(({ applicationName, outcome }) => `${applicationName} ${outcome}`)).toEqual(
    Array.from({ length: 7 }, () => "acme_shop-migrations accepted"),
  );
  expect(local.sessions()).toBe(0);
}, 60_000);

test("kysely-ctl fails with what is missing when the environment is empty", async () => {
  const { code, output } = await kyselyCtl(["migrate", "latest"], {});
  expect(code).toBe(1);
  for (const name of ["LAKEBASE_ENDPOINT", "DATABRICKS_HOST", "DATABRICKS_CLIENT_ID"]) expect(output).toContain(name);
});

test("kysely-ctl fails with the server's refusal, and prints no secret", async () => {
  local.faults.login({ kind: "refuse", sqlState: "28P01", message: "password authentication failed" });
  const { code, output } = await kyselyCtl(["migrate", "latest", "--debug"]);
  local.faults.clear();
  expect(code).toBe(1);
  expect(output).toContain("password authentication failed");
  expect(local.secrets().filter((secret) => output.includes(secret))).toEqual([]);
});
