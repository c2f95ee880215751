import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Trouble } from "./processes.mjs";
import { packageManager, repository } from "./toolbox.mjs";

const stamp = join(repository, "node_modules/.workshop-install.json");

/**
 * Installs exactly what the lock file says, or nothing when that was done before and nothing has changed since.
 *
 * @param {Awaited<ReturnType<typeof import("./toolbox.mjs").openToolbox>>} tools
 * @param {{ only?: string }} [options] a pnpm filter; without it everything is installed
 */
export async function install(tools, { only } = {}) {
  const state = describe();
  const last = recall();
  const enough = last.scope === "everything" || last.scope === (only ?? "everything");
  if (enough && last.hash === state.hash && last.folders.every((folder) => existsSync(join(repository, folder))))
    return;

  const filter = only ? [`--filter=${only}`] : [];
  const { code, output } = await tools.pnpm(["install", "--frozen-lockfile", "--reporter=append-only", ...filter], {
    quiet: true,
    hopeless: networkIsGone,
  });
  if (code !== 0) {
    throw networkIsGone(output)
      ? new Trouble("The packages in pnpm-lock.yaml could not be fetched from the npm registry. Is there a network?")
      : new Trouble(
          `The packages could not be installed. After a change of dependencies: npx ${packageManager} install`,
          output,
        );
  }
  const folders = state.importers
    .map((folder) => join(folder, "node_modules"))
    .filter((folder) => existsSync(join(repository, folder)));
  writeFileSync(stamp, JSON.stringify({ hash: state.hash, scope: only ?? "everything", folders }));
}

/** Without a network pnpm tries each package three times before it gives up; the first eight say enough. */
function networkIsGone(output) {
  return output.split("0 retries left").length > 8;
}

/** Everything an install depends on: the lock file, the settings and the manifest of each package that it names. */
function describe() {
  const lock = readFileSync(join(repository, "pnpm-lock.yaml"), "utf8");
  const section = lock.slice(lock.indexOf("\nimporters:"), lock.indexOf("\npackages:"));
  const importers = [...section.matchAll(/^ {2}(\S+):$/gm)].map(([, folder]) => folder);
  const hash = createHash("sha256").update(packageManager).update(lock);
  for (const file of ["pnpm-workspace.yaml", ...importers.map((folder) => join(folder, "package.json"))]) {
    const path = join(repository, file);
    hash.update(existsSync(path) ? readFileSync(path) : "absent");
  }
  return { hash: hash.digest("hex"), importers };
}

function recall() {
  try {
    return JSON.parse(readFileSync(stamp, "utf8"));
  } catch {
    return { hash: "", scope: "nothing", folders: [] };
  }
}
