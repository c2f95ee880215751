import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const installed = fileURLToPath(new URL("../node_modules/", import.meta.url));

/** Packages that were installed a second time, in a folder of their own. */
export interface Copies {
  readonly folder: string;
  /** Requires as a module of that folder does. */
  readonly require: NodeJS.Require;
  remove(): void;
}

/**
 * Copies packages to a folder outside of this repository, where they find each other and nothing of ours, and beside them
 * links to what else they depend on.
 */
export function copyPackages(...names: readonly string[]): Copies {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "lakebase-copies-")));
  const at = (name: string) => join(folder, "node_modules", name);
  const sources = new Map(names.map((name) => [name, sourceOf(name)]));
  for (const [name, source] of sources) {
    const isCode = (path: string) =>
      !path.startsWith(join(source, "node_modules")) && !/\.(map|ts|mts|cts)$/.test(path);
    cpSync(source, at(name), { recursive: true, filter: isCode });
  }
  for (const [name, source] of sources) {
    for (const [neighbour, path] of neighbours(name, source)) {
      if (sources.has(neighbour) || existsSync(at(neighbour))) continue;
      mkdirSync(dirname(at(neighbour)), { recursive: true });
      symlinkSync(path, at(neighbour));
    }
  }
  return {
    folder,
    require: createRequire(join(folder, "application.cjs")),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** Of a dependency of ours, or of one of pg, which is none of ours. */
function sourceOf(name: string): string {
  const own = join(installed, name);
  return realpathSync(existsSync(own) ? own : join(realpathSync(join(installed, "pg")), "..", name));
}

/** What is installed beside a package, which is what it depends on; beside a package of this repository nothing. */
function neighbours(name: string, source: string): (readonly [name: string, path: string])[] {
  const home = join(source, ...name.split("/").map(() => ".."));
  if (basename(home) !== "node_modules") return [];
  return readdirSync(home).flatMap((entry) => {
    const path = join(home, entry);
    return entry.startsWith("@")
      ? readdirSync(path).map((inner) => [`${entry}/${inner}`, realpathSync(join(path, inner))] as const)
      : [[entry, realpathSync(path)] as const];
  });
}
