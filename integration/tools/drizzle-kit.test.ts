import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { localhostEnvironment, runLakebase } from "./lakebase-command.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const modules = here("../node_modules");
const manifest = JSON.parse(readFileSync(new URL(import.meta.resolve("@x/lakebase-cli/package.json")), "utf8"));
/** What Databricks and its extensions keep in the schema `public`. */
const foreign = [
  "databricks_auth_metrics",
  "databricks_list_roles",
  "databricks_synced_table_managers",
  "pg_stat_statements",
  "pg_stat_statements_info",
];

let local: LocalLakebase;
let admin: pg.Client;
/** A user's project, and a database of its own that looks as it does on Lakebase. */
let project: string;
let database: string;
let projects = 0;
let loginsBefore: number;

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
  admin = new pg.Client(local.postgresUrl);
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await local.close();
});
beforeEach(async () => {
  project = mkdtempSync(join(tmpdir(), "lakebase-drizzle-kit-"));
  cpSync(here("drizzle-kit"), project, { recursive: true });
  symlinkSync(modules, join(project, "node_modules"));
  projects += 1;
  database = `project_${projects}`;
  await admin.query(`create database ${database} owner "${local.servicePrincipal.clientId}"`);
  await inDatabase(`
    do $$ begin
      if exists (select from pg_available_extensions where name = 'databricks_auth') then create extension databricks_auth;
      else create view databricks_list_roles as select 1 as role_name;
      end if;
    end $$;
    create extension pg_stat_statements;
    create view databricks_auth_metrics as select 1 as metric;
    create view databricks_synced_table_managers as select 1 as manager;
    grant create on schema public to "${local.servicePrincipal.clientId}";
  `);
  loginsBefore = local.logins.length;
});
afterEach(() => rmSync(project, { recursive: true }));

/** As the superuser. */
async function inDatabase(sql: string): Promise<Record<string, unknown>[]> {
  const url = new URL(local.postgresUrl);
  url.pathname = `/${database}`;
  const client = new pg.Client(url.href);
  await client.connect();
  try {
    return (await client.query(sql)).rows ?? [];
  } finally {
    await client.end();
  }
}

async function relations(): Promise<string[]> {
  const rows = await inDatabase(
    "select table_schema || '.' || table_name as name from information_schema.tables where table_schema in ('public', 'drizzle') order by 1",
  );
  return rows.map(({ name }) => String(name).replace("public.", ""));
}

async function drizzleKit(...args: string[]) {
  const { code, stdout, stderr } = await runLakebase(
    ["exec", "--database", database, "--", "drizzle-kit", ...args],
    { ...localhostEnvironment(local), PATH: `${join(modules, ".bin")}:${process.env.PATH}` },
    { cwd: project },
  );
  for (const secret of local.secrets()) expect(`${stdout}${stderr}`.includes(secret)).toBe(false);
  return { code, output: stripVTControlCharacters(stdout + stderr) };
}

/** How it logged in: over verified TLS, by the names that we gave it. */
function expectLogins() {
  const logins = local.logins.slice(loginsBefore);
  expect(logins.length).toBeGreaterThan(0);
  for (const { outcome, user, startup } of logins) {
    expect({ outcome, user, name: startup.application_name, database: startup.database }).toEqual({
      outcome: "accepted",
      user: local.servicePrincipal.clientId,
      name: `x-lakebase-cli/${manifest.version}`,
      database,
    });
  }
  expect(local.connections.plaintextRefused).toBe(0);
}

test("push makes the tables, finds nothing more to do, and leaves Databricks' objects alone", async () => {
  const first = await drizzleKit("push");
  expect(first).toMatchObject({ code: 0, output: expect.stringContaining("Changes applied") });
  expect(first.output).not.toMatch(/drop/i);
  expect(await relations()).toEqual(["authors", "books", ...foreign]);
  const second = await drizzleKit("push", "--strict", "--verbose");
  expect(second).toMatchObject({ code: 0, output: expect.stringContaining("No changes detected") });
  expectLogins();
});

test("without the filter push goes to drop what is Databricks' own", async () => {
  const { output } = await drizzleKit("push", "--config", "unfiltered.config.ts");
  expect(output).toMatch(/(must be owner of|cannot drop) view (databricks|pg_stat)_/);

  // And what the role happens to own is gone.
  await inDatabase(`
    drop extension if exists databricks_auth;
    drop extension pg_stat_statements;
    drop view if exists databricks_list_roles;
    drop view databricks_synced_table_managers;
    alter view databricks_auth_metrics owner to "${local.servicePrincipal.clientId}";
  `);
  await drizzleKit("push", "--force", "--config", "unfiltered.config.ts");
  expect(await relations()).toEqual(["authors", "books"]);
});

test("pull reads the user's tables and nothing else, and without the filter Databricks' too", async () => {
  await inDatabase("create table authors (id serial primary key, name text not null)");
  const pulled = () => readFileSync(join(project, "migrations/schema.ts"), "utf8");
  expect((await drizzleKit("pull")).code).toBe(0);
  expect(pulled().match(/pg(Table|View)\("\w+"/g)).toEqual(['pgTable("authors"']);
  expectLogins();

  expect((await drizzleKit("pull", "--config", "unfiltered.config.ts")).code).toBe(0);
  for (const name of foreign) expect(pulled()).toContain(`pgView("${name}"`);
});

test("generate and migrate bring a database up to date, and a second migrate does nothing", async () => {
  expect((await drizzleKit("generate", "--name", "first")).code).toBe(0);
  const sql = readFileSync(join(project, "migrations/0000_first.sql"), "utf8");
  expect(sql).toContain('CREATE TABLE "authors"');
  expect(sql).not.toMatch(/drop|databricks|pg_stat/i);
  expect(local.logins.length).toBe(loginsBefore);

  for (let round = 0; round < 2; round++) expect((await drizzleKit("migrate")).code).toBe(0);
  expect(await relations()).toEqual(["drizzle.__drizzle_migrations", "authors", "books", ...foreign]);
  expect(await inDatabase("select count(*)::int as n from drizzle.__drizzle_migrations")).toEqual([{ n: 1 }]);
  expectLogins();
});

test("a migration that fails makes the command fail", async () => {
  await drizzleKit("generate", "--name", "first");
  writeFileSync(join(project, "migrations/0000_first.sql"), "select 1 / 0;");
  expect((await drizzleKit("migrate")).code).toBe(1);
  expect(await relations()).not.toContain("authors");
});

test("a server whose certificate does not verify gets no token from it", async () => {
  const { passwordBytes } = local.connections;
  const fault = local.faults.tls({ on: "login", kind: "untrusted" });
  await drizzleKit("push");
  expect(fault.hits).toBeGreaterThan(0);
  fault.clear();
  expect(local.connections.passwordBytes).toBe(passwordBytes);
  expect(await relations()).toEqual(foreign);
});

test("a filter that mixes names of one's own with negations lets everything pass that no negation holds back", async () => {
  const config = readFileSync(join(project, "drizzle.config.ts"), "utf8");
  const mixed = config.replace(
    "tablesFilter: lakebaseTablesFilter",
    'tablesFilter: ["shop_*", ...lakebaseTablesFilter]',
  );
  expect(mixed).not.toBe(config);
  writeFileSync(join(project, "drizzle.config.ts"), mixed);
  await inDatabase("create table shop_orders (id int); create table elsewhere (id int)");
  await drizzleKit("pull");
  const pulled = readFileSync(join(project, "migrations/schema.ts"), "utf8");
  expect(pulled.match(/pg(Table|View)\("\w+"/g)?.sort()).toEqual(['pgTable("elsewhere"', 'pgTable("shop_orders"']);
});
