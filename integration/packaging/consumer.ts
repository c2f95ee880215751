import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { catalogVersion, npmInstall, type PackedPackage, pack } from "./tarballs.ts";

const execute = promisify(execFile);

/** The oldest Node that we support, the newest of each line since, and the newest there is. */
const nodeVersions = ["20.19.0", "20.20.2", "22.23.3", "24.21.0", "26.10.0"];
/** The oldest TypeScript whose users we support, the last one written in TypeScript, and the one that we build with. */
const compilerVersions = ["5.0.4", "5.9.3", "7.0.2"];

/** A folder in which npm has installed our tarballs and the drivers beside them, and the programs to try them with. */
export interface Consumer {
  readonly folder: string;
  readonly packages: readonly PackedPackage[];
  /** Version to executable. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Version to the script that is `tsc`. */
  readonly compilers: Readonly<Record<string, string>>;
}

declare module "vitest" {
  interface ProvidedContext {
    consumer: Consumer;
  }
}

export default async function setUp(project: TestProject): Promise<() => void> {
  const base = mkdtempSync(join(tmpdir(), "lakebase-packaging-"));
  const tearDown = () => rmSync(base, { recursive: true, force: true });
  try {
    const packages = await pack(base);
    const [folder, nodes, compilers] = await Promise.all([
      installPackages(base, packages),
      fetchNodes(base),
      installCompilers(base),
    ]);
    project.provide("consumer", { folder, packages, nodes, compilers });
  } catch (error) {
    tearDown();
    throw error;
  }
  return tearDown;
}

async function installPackages(base: string, packages: readonly PackedPackage[]): Promise<string> {
  const folder = join(base, "consumer");
  cpSync(fileURLToPath(new URL("fixtures", import.meta.url)), folder, { recursive: true });
  const wanted = packages.map(({ name, tarball }) => [name, `file:${tarball}`]);
  const peers = new Set(packages.flatMap((one) => one.peers));
  // A Docker engine's client, with more than a hundred packages; nothing here starts a container.
  peers.delete("testcontainers");
  const beside = ["@types/node", ...peers].map((name) => [name, catalogVersion(name)]);
  writeJson(join(folder, "package.json"), { private: true, dependencies: Object.fromEntries([...wanted, ...beside]) });
  await npmInstall(folder);
  return folder;
}

async function installCompilers(base: string): Promise<Record<string, string>> {
  const folder = join(base, "compilers");
  const aliases = compilerVersions.map((version) => [`typescript-${version}`, `npm:typescript@${version}`]);
  mkdirSync(folder);
  writeJson(join(folder, "package.json"), { private: true, dependencies: Object.fromEntries(aliases) });
  await npmInstall(folder);
  return Object.fromEntries(
    compilerVersions.map((version) => [version, join(folder, `node_modules/typescript-${version}/bin/tsc`)]),
  );
}

async function fetchNodes(base: string): Promise<Record<string, string>> {
  const fetched = nodeVersions.map(async (version) => {
    const args = ["--yes", "-p", `node@${version}`, "-c", "node -p process.execPath"];
    const { stdout } = await execute("npx", args, { cwd: base });
    return [version, stdout.trim()];
  });
  return Object.fromEntries(await Promise.all(fetched));
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value));
}
