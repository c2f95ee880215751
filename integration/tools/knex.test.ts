import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";

const execute = promisify(execFile);
const program = fileURLToPath(new URL("bin/cli.js", import.meta.resolve("knex/package.json")));
const application = fileURLToPath(new URL("knex/", import.meta.url));

let local: LocalLakebase;
beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());

/** Runs Knex's command in a user's folder, with an environment that has nothing else in it. */
async function knexCommand(knexfile: string, command: string[], env: Record<string, string> = local.env) {
  const args = [program, ...command, "--knexfile", join(application, knexfile)];
  const options = { cwd: application, env: { PATH: process.env.PATH, ...env }, timeout: 15_000 };
  const result = await execute(process.execPath, args, options).then(
    (output) => ({ ...output, code: 0 }),
    (error) => error as { stdout: string; stderr: string; code: number },
  );
  return { code: result.code, output: result.stdout + result.stderr };
}

test.each([
  ["a TypeScript knexfile", "knexfile.ts", [], "acme_shop-typescript"],
  ["an ESM knexfile with environments", "knexfile.mjs", ["--env", "production"], "acme_shop-module"],
  ["a CommonJS knexfile that is a function", "knexfile.cjs", [], "acme_shop-commonjs"],
])(
  "knex migrates up and down, tells and seeds by %s",
  async (_kind, knexfile, more, applicationName) => {
    const before = local.logins.length;
    const commands = [
      [["migrate:status"], "No Completed Migration files Found", "Found 1 Pending Migration"],
      [["migrate:latest"], "Batch 1 run: 1 migrations"],
      [["migrate:latest"], "Already up to date"],
      [["migrate:status"], "Found 1 Completed Migration", "No Pending Migration files Found"],
      [["seed:run"], "Ran 1 seed files"],
      [["migrate:currentVersion"], "20240229123456"],
      [["migrate:rollback"], "Batch 1 rolled back: 1 migrations"],
      [["migrate:up"], "20240229123456_orders.cjs"],
      [["migrate:down"], "20240229123456_orders.cjs"],
    ] as const;
    for (const [command, ...told] of commands) {
      const { code, output } = await knexCommand(knexfile, [...command, ...more]);
      expect(code, output).toBe(0);
      for (const text of told) expect(output).toContain(text);
    }
    const logins = local.logins.slice(before).map((login) => `${login.applicationName} ${login.outcome}`);
    expect(new Set(logins)).toEqual(new Set([`${applicationName} accepted`]));
    expect(local.sessions()).toBe(0);
  },
  60_000,
);

test("knex makes a migration without a database", async () => {
  const folder = await mkdtemp(join(tmpdir(), "knex-migrations-"));
  try {
    const made = await knexCommand("knexfile.mjs", ["migrate:make", "items", "--migrations-directory", folder], {});
    expect(made).toMatchObject({ code: 0, output: expect.stringContaining("Created Migration") });
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^\d{14}_items\.mjs$/)]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("knex fails with what is missing when the environment is empty", async () => {
  const { code, output } = await knexCommand("knexfile.cjs", ["migrate:latest"], {});
  expect(code).toBe(1);
  for (const name of ["LAKEBASE_ENDPOINT", "DATABRICKS_HOST", "DATABRICKS_CLIENT_ID"]) expect(output).toContain(name);
});

test("knex fails with the server's refusal, and prints no secret", async () => {
  local.faults.login({ kind: "refuse", sqlState: "28P01", message: "password authentication failed" });
  const { code, output } = await knexCommand("knexfile.cjs", ["migrate:latest", "--debug"]);
  local.faults.clear();
  expect(code).toBe(1);
  expect(output).toContain("password authentication failed");
  expect(local.secrets().filter((secret) => output.includes(secret))).toEqual([]);
});

test("knex takes no other connection from its command line", async () => {
  const before = local.logins.length;
  const url = "postgresql://someone:hunter2@db.example.com/shop";
  const { code, output } = await knexCommand("knexfile.cjs", ["migrate:latest", "--connection", url]);
  expect(code).toBe(1);
  expect(output).toContain("`connection`: is set by this library");
  expect(output).not.toContain("hunter2");
  expect(local.logins).toHaveLength(before);
});
