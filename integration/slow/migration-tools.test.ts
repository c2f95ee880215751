import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { catalogVersion, npmInstall, pack } from "../packaging/tarballs.ts";

const execute = promisify(execFile);

let base: string;
let tarball: string | undefined;
let local: LocalLakebase;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "lakebase-tools-"));
  tarball = (await pack(base)).find(({ name }) => name === "@x/lakebase-core")?.tarball;
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(async () => {
  await local.close();
  rmSync(base, { recursive: true, force: true });
});

/** A project with a tool beside our core, in which its commands are run. */
async function createProject(name: string, tools: Record<string, string>) {
  const folder = join(base, name);
  mkdirSync(folder);
  const dependencies = { "@x/lakebase-core": `file:${tarball}`, pg: catalogVersion("pg"), ...tools };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  await npmInstall(folder);
  return {
    folder,
    copy: (file: string, to: string) =>
      cpSync(fileURLToPath(new URL(`${name}/${file}`, import.meta.url)), join(folder, to)),
    run: (command: string, ...args: string[]) =>
      execute(process.execPath, [join("node_modules", command), ...args], {
        cwd: folder,
        env: { PATH: process.env.PATH, ...local.env },
      }),
  };
}

async function tables(): Promise<string[]> {
  const observer = new pg.Client(local.postgresUrl);
  await observer.connect();
  const { rows } = await observer.query("select tablename from pg_tables where schemaname = 'public' order by 1");
  await observer.end();
  return rows.map(({ tablename }) => tablename);
}

function namesSince(mark: number): Set<string | undefined> {
  return new Set(local.logins.slice(mark).map(({ applicationName }) => applicationName));
}

test("sequelize-cli migrates up and down by a configuration with our client", async () => {
  const { copy, run } = await createProject("sequelize-cli", {
    sequelize: catalogVersion("sequelize"),
    "sequelize-cli": "6.6.5",
  });
  copy("database.cjs", "config/database.cjs");
  copy("20240229123456-books.cjs", "migrations/20240229123456-books.cjs");
  const mark = local.logins.length;
  const migrate = (command: string) => run("sequelize-cli/lib/sequelize", command, "--config", "config/database.cjs");
  await migrate("db:migrate");
  expect(await tables()).toEqual(["SequelizeMeta", "books"]);
  await migrate("db:migrate:undo");
  expect(await tables()).toEqual(["SequelizeMeta"]);
  expect(namesSince(mark)).toEqual(new Set(["acme_shop"]));
});

test("mikro-orm generates a migration, and migrates up and down, by its own configuration", async () => {
  const version = catalogVersion("@mikro-orm/core");
  const names = ["core", "postgresql", "sql", "migrations", "cli"];
  const { copy, run } = await createProject(
    "mikro-orm",
    Object.fromEntries(names.map((name) => [`@mikro-orm/${name}`, version])),
  );
  copy("mikro-orm.config.js", "mikro-orm.config.js");
  const mark = local.logins.length;
  const migrate = (command: string) => run("@mikro-orm/cli/cli.js", command);
  await migrate("migration:create");
  await migrate("migration:up");
  expect(await tables()).toContain("books");
  await migrate("migration:down");
  expect(await tables()).not.toContain("books");
  expect(namesSince(mark)).toEqual(new Set(["acme_shop"]));
});
