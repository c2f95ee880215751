import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";
import { catalogVersion, npmInstall, pack } from "../packaging/tarballs.ts";
import { otherLines } from "../peers/matrix.ts";

const execute = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lakebase-drizzle-1-"));
  const packed = await pack(folder);
  const ours = ["@x/lakebase-core", "@x/lakebase-drizzle"].map((name) => [
    name,
    `file:${packed.find((one) => one.name === name)?.tarball}`,
  ]);
  const dependencies = {
    ...Object.fromEntries(ours),
    "drizzle-orm": otherLines["drizzle-orm"],
    pg: catalogVersion("pg"),
    "@types/pg": catalogVersion("@types/pg"),
    "@types/node": catalogVersion("@types/node"),
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  // npm itself says here whether the range of our peer lets a release candidate in.
  await npmInstall(folder);
  cpSync(fileURLToPath(new URL("drizzle-1/relations.mts", import.meta.url)), join(folder, "relations.mts"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a program with Drizzle 1.0's own relations compiles, and keeps its types", async () => {
  const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2024"];
  const compiler = join(typescript, "../bin/tsc");
  await execute(process.execPath, [compiler, ...options, "--types", "node", "relations.mts"], { cwd: folder });
});

test("a program with Drizzle 1.0's own relations runs", async () => {
  await using local = await startLocalLakebase({ log: () => {} });
  const env = { PATH: process.env.PATH, ...local.env };
  const { stdout } = await execute(process.execPath, ["relations.mts"], { cwd: folder, env });
  expect(JSON.parse(stdout)).toEqual({ found: [{ name: "Ada", books: [{ title: "Notes" }] }], prepared: 1 });
  expect(new Set(local.logins.map(({ applicationName }) => applicationName))).toEqual(
    new Set([expect.stringMatching(/^x-lakebase-drizzle\//)]),
  );
});
