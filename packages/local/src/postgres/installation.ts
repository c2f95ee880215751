import {
  chownSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { PostgresBinaries } from "./binaries.ts";
import { databricksAuthExtension } from "./databricks-auth.ts";

/** Programs and files of Postgres, ready to be run. */
export interface Installation {
  bin: string;
  /** The libraries that Postgres loads into itself (its `$libdir`). */
  modules: string;
  /** Whether `CREATE EXTENSION databricks_auth` works. */
  hasDatabricksAuth: boolean;
}

/**
 * Lays an npm installation out afresh in a private folder, mostly as links to the files of the package.
 *
 * The package leaves out the links between its libraries (npm carries none) and makes them in an install script; scripts
 * are often blocked and node_modules may be read-only or shared, so they are made here. Postgres looks for its libraries
 * and extensions beside its own program, hence the program is a copy and the rest are links. In the same way the folder
 * gains an extension that stock Postgres does not have.
 *
 * @param how "copy" when the account that runs Postgres cannot read the package, or where a library is looked up beside
 *   the file that a link points to (macOS)
 */
export function layOut(
  binaries: PostgresBinaries,
  folder: string,
  { how, disguised }: { how: "link" | "copy"; disguised: boolean },
): Installation {
  if (binaries.source === "system") {
    const modules = join(dirname(binaries.bin), "lib");
    return { bin: binaries.bin, modules, hasDatabricksAuth: false };
  }
  const native = dirname(binaries.bin);
  const place = how === "copy" ? copy : symlinkSync;
  const [bin, lib, share] = ["bin", "lib", "share"].map((name) => join(folder, name)) as [string, string, string];
  const modules = join(lib, "postgresql");
  const extensions = join(share, "postgresql", "extension");
  for (const path of [bin, modules, extensions]) mkdirSync(path, { recursive: true });

  for (const program of ["postgres", "initdb"]) copy(join(native, "bin", program), join(bin, program));
  for (const path of ["lib", "lib/postgresql", "share/postgresql", "share/postgresql/extension"]) {
    for (const name of readdirSync(join(native, path))) {
      const target = join(folder, path, name);
      // The folders made above stand already; a link that an install script made is made anew below.
      if (existsSync(target) || lstatSync(join(native, path, name)).isSymbolicLink()) continue;
      place(join(native, path, name), target);
    }
  }
  for (const { source, target } of libraryLinks(native)) {
    const link = join(folder, "lib", basename(target));
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
  const added = disguised ? Object.entries(databricksAuthExtension) : [];
  for (const [name, text] of added) writeFileSync(join(extensions, name), text);
  return { bin, modules, hasDatabricksAuth: disguised };
}

function libraryLinks(native: string): { source: string; target: string }[] {
  const list = join(native, "pg-symlinks.json");
  return existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
}

function copy(from: string, to: string): void {
  if (lstatSync(from).isDirectory()) cpSync(from, to, { recursive: true });
  // A clone where the file system can: no bytes are written.
  else copyFileSync(from, to, constants.COPYFILE_FICLONE);
}

/** What Lakebase preloads. */
export const preloadedModules: readonly string[] = ["neon", "pg_stat_statements", "databricks_auth"];

/** Harmless modules of Postgres for those that it does not have. */
export const standIns: Readonly<Record<string, string>> = { neon: "tcn", databricks_auth: "refint" };

/**
 * Puts harmless modules under the names that Lakebase preloads, so that `SHOW shared_preload_libraries` is an honest
 * answer of the server.
 *
 * @returns the names that can be preloaded, or nothing where Postgres has no module to spare
 */
export function disguiseModules(modules: string, folder: string): readonly string[] {
  const needed = ["pg_stat_statements", ...Object.values(standIns)];
  const extension = [".so", ".dylib"].find((suffix) =>
    needed.every((name) => existsSync(join(modules, name + suffix))),
  );
  if (!extension) return [];
  mkdirSync(folder, { recursive: true });
  for (const [name, source] of Object.entries(standIns)) {
    copyFileSync(join(modules, source + extension), join(folder, name + extension));
  }
  return preloadedModules;
}

/** Gives a folder and all that is in it to another user. */
export function giveAway(folder: string, owner: { uid: number; gid: number }): void {
  chownSync(folder, owner.uid, owner.gid);
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) chownSync(join(entry.parentPath, entry.name), owner.uid, owner.gid);
  }
}
