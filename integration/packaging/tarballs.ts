import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const execute = promisify(execFile);

export interface PackedPackage {
  readonly name: string;
  readonly tarball: string;
  readonly files: readonly string[];
  /** What may be imported: the package's name, and its name with each subpath. */
  readonly entries: readonly string[];
  /** What users install beside it. */
  readonly peers: readonly string[];
}

/** Packs every package that is published, as it is published. */
export async function pack(destination: string): Promise<PackedPackage[]> {
  const folders = readdirSync(join(repository, "packages"))
    .map((folder) => join(repository, "packages", folder))
    .filter((folder) => readJson(join(folder, "package.json")).private !== true);
  return await Promise.all(
    folders.map(async (folder) => {
      // Not npm: it would leave `workspace:` and `catalog:` in the manifest.
      const { stdout } = await execute("pnpm", ["pack", "--json", "--pack-destination", destination], { cwd: folder });
      const { name, filename, files } = JSON.parse(stdout);
      const { exports, peerDependencies = {} } = readJson(join(folder, "package.json"));
      return {
        name,
        tarball: filename,
        files: files.map(({ path }: { path: string }) => path),
        entries: Object.keys(exports)
          .filter((subpath) => subpath !== "./package.json")
          .map((subpath) => name + subpath.slice(1)),
        peers: Object.keys(peerDependencies),
      };
    }),
  );
}

/** Without install scripts, so that a user who forbids them gets the same. */
export async function npmInstall(folder: string): Promise<void> {
  await execute("npm", ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
}

/** The versions that this repository works with, by name. */
export function readCatalog(): Record<string, string> {
  const [, catalog = ""] =
    /^catalog:\n((?: {2}.*\n)+)/m.exec(readFileSync(join(repository, "pnpm-workspace.yaml"), "utf8")) ?? [];
  return Object.fromEntries(
    [...catalog.matchAll(/^ {2}"?([^":]+)"?: (.+)$/gm)].map(([, name, version]) => [name, version]),
  );
}

/** The version that this repository works with. */
export function catalogVersion(name: string): string {
  const version = readCatalog()[name];
  if (!version) throw new Error(`${name} is not in the catalog of pnpm-workspace.yaml`);
  return version;
}

function readJson(path: string) {
  return JSON.parse(readFileSync(path, "utf8"));
}
