import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

const execute = promisify(execFile);
const program = fileURLToPath(import.meta.resolve("typeorm/cli.js"));
const application = fileURLToPath(new URL("typeorm", import.meta.url));

let local: LocalLakebase;
let migrations: string;

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
  // As Lakebase has it, beside databricks_auth: objects in the application's schema that no entity knows.
  await sql("create extension if not exists pg_stat_statements");
});
afterAll(() => local.close());
beforeEach(() => {
  migrations = mkdtempSync(join(tmpdir(), "typeorm-migrations-"));
});
afterEach(() => {
  rmSync(migrations, { recursive: true });
});

/** Runs TypeORM's command in a user's folder, with an environment that has nothing else in it. */
async function typeorm(args: string[], env: Record<string, string> = local.env) {
  const options = {
    cwd: application,
    env: { PATH: process.env.PATH, MIGRATIONS: migrations, NODE_NO_WARNINGS: "1", ...env },
    timeout: 15_000,
  };
  const { code, stdout, stderr } = await execute(process.execPath, [program, ...args], options).then(
    (output) => ({ ...output, code: 0 }),
    (error) => error as { stdout: string; stderr: string; code: number },
  );
  const output = stdout + stderr;
  expect(local.secrets().filter((secret) => output.includes(secret))).toEqual([]);
  return { code, output };
}

describe.each(["data-source.ts", "data-source.mjs", "data-source.cjs"])("typeorm -d %s", (file) => {
  test("generates a migration, runs, shows and reverts it, one login a command", async () => {
    const mark = local.logins.length;
    const generate = ["migration:generate", "-d", file, "-o", join(migrations, "shop")];
    expect(await typeorm(generate)).toMatchObject({
      code: 0,
      output: expect.stringContaining("generated successfully"),
    });
    const [generated = ""] = readdirSync(migrations);
    const text = readFileSync(join(migrations, generated), "utf8");
    expect(text).not.toMatch(/databricks|pg_stat/);
    expect(text.match(/(CREATE|DROP|ALTER) \w+ "\w+"/g)).toEqual(['CREATE TABLE "products"', 'DROP TABLE "products"']);

    for (const [command, told] of [
      ["migration:show", /\[ \] Shop/],
      ["migration:run", /executed successfully/],
      ["migration:show", /\[X\] \d+ Shop/],
      ["migration:run", /No migrations are pending/],
    ] as const) {
      const { code, output } = await typeorm([command, "-d", file]);
      expect(code, output).toBe(0);
      expect(output).toMatch(told);
    }
    expect(await tables()).toEqual(["migrations", "products"]);
    expect(await typeorm([...generate, "--check"])).toMatchObject({
      code: 0,
      output: expect.stringContaining("No changes"),
    });
    expect(await typeorm(["query", "-d", file, "select count(*)::int as n from products"])).toMatchObject({ code: 0 });
    expect(await typeorm(["migration:revert", "-d", file])).toMatchObject({
      code: 0,
      output: expect.stringContaining("reverted successfully"),
    });
    expect(await tables()).toEqual(["migrations"]);

    expect(local.logins.slice(mark).map(({ applicationName, outcome }) => `${applicationName} ${outcome}`)).toEqual(
      Array.from({ length: 8 }, () => "acme_shop-migrations accepted"),
    );
    expect(local.sessions()).toBe(0);
  }, 60_000);
});

test("typeorm fails with what is missing when the environment is empty", async () => {
  const { code, output } = await typeorm(["migration:run", "-d", "data-source.ts"], {});
  expect(code).toBe(1);
  for (const name of ["LAKEBASE_ENDPOINT", "DATABRICKS_HOST", "DATABRICKS_CLIENT_ID"]) expect(output).toContain(name);
});

test("typeorm fails with the workspace's refusal, and prints no secret", async () => {
  const { code, output } = await typeorm(["migration:run", "-d", "data-source.ts"], {
    ...local.env,
    DATABRICKS_CLIENT_SECRET: "wrong-secret",
  });
  expect(code).toBe(1);
  expect(output).toContain("ERR_LAKEBASE_UNAUTHENTICATED");
  expect(output).not.toContain("wrong-secret");
});

async function sql(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(local.postgresUrl);
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
}

/** Tables of the schema that the application writes to. */
async function tables(): Promise<unknown[]> {
  const rows = await sql("select tablename from pg_tables where schemaname = 'public' order by 1");
  return rows.map(({ tablename }) => tablename);
}
