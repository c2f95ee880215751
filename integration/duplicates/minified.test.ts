import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startLocalLakebase } from "@x/lakebase-local";
import { build } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lakebase-minified-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a bundle whose class names are minified keeps the pool's, and rolls back what it should", async () => {
  const file = join(folder, "application.mjs");
  await build({
    input: fileURLToPath(new URL("minified-program.ts", import.meta.url)),
    platform: "node",
    external: ["pg-native", "pg-cloudflare"],
    output: { file, format: "esm", minify: true, codeSplitting: false },
    logLevel: "silent",
  });
  await using local = await startLocalLakebase({ log: () => {} });
  const { stdout } = await run(process.execPath, [file], { env: { PATH: process.env.PATH, ...local.env } });
  const { names, ...outcome } = JSON.parse(stdout);
  expect(names).toMatchObject({ pool: "LakebasePool", client: "LakebaseClient", error: "LakebaseError" });
  expect(names.application).not.toBe("ApplicationPool");
  expect(outcome).toEqual({ rejected: 40, left: 0 });
  expect(new Set(local.logins.map(({ applicationName }) => applicationName))).toEqual(
    new Set([expect.stringMatching(/^x-lakebase-drizzle\/\d+\.\d+\.\d+$/)]),
  );
});
