import { execFile } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Copies, copyPackages } from "./copies.ts";

const run = promisify(execFile);

let local: LocalLakebase;
let copies: Copies;
let program: string;

beforeAll(async () => {
  copies = copyPackages("pg", "@x/lakebase-core");
  // As much of pg-native as node-postgres asks for before it connects: a binding that is there.
  const stub = join(copies.folder, "node_modules/pg-native");
  mkdirSync(stub);
  writeFileSync(join(stub, "index.js"), "module.exports = class { on() {} };");
  writeFileSync(join(stub, "package.json"), JSON.stringify({ name: "pg-native", version: "3.5.2", main: "index.js" }));
  program = join(copies.folder, "native-program.mjs");
  cpSync(fileURLToPath(new URL("native-program.mjs", import.meta.url)), program);
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(async () => {
  copies?.remove();
  await local?.close();
});

async function outcomes(env: Record<string, string> = {}) {
  const { stdout } = await run(process.execPath, [program], { env: { PATH: process.env.PATH, ...local.env, ...env } });
  return JSON.parse(stdout);
}

test("leaves a pg-native alone that is installed and not asked for", async () => {
  expect(await outcomes()).toEqual({ installed: true, pool: 1, config: 1, client: 1 });
  expect(local.logins).toHaveLength(3);
});

test("says at once that pg-native is not supported where NODE_PG_FORCE_NATIVE asks for it", async () => {
  const refusal = expect.stringMatching(/^ERR_LAKEBASE_DRIVER: .*NODE_PG_FORCE_NATIVE/);
  expect(await outcomes({ NODE_PG_FORCE_NATIVE: "1" })).toMatchObject({
    pool: refusal,
    config: refusal,
    client: refusal,
  });
});
