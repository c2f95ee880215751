import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, Trouble } from "./processes.mjs";

export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** The Node that does the work where the host's own cannot: the build and TypeScript without a build need a recent one. */
const workshopNode = "24.21.0";
/** `pnpm@` and its version, from the root manifest. */
export const { packageManager } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));

const remembered = join(repository, "node_modules/.workshop-tools.json");

/** @param {string} version */
export function hostIsTooOld(version) {
  const [major, minor] = version.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return undefined;
  return `Node ${version} is too old: this needs Node 20.19 or newer.`;
}

/** @param {string} version */
function runsTypeScript(version) {
  const [major, minor] = version.split(".").map(Number);
  return major >= 26 || (major === 24 && minor >= 11) || (major === 22 && minor >= 18);
}

/** Finds node and pnpm, or fetches what is missing, and returns the means to run everything else with them. */
export async function openToolbox() {
  const hostNodeWillDo = runsTypeScript(process.versions.node);
  const ownFolder = hostNodeWillDo ? [dirname(process.execPath)] : [];
  const folders =
    (await ifTheyWork(ownFolder)) ??
    (await ifTheyWork([...ownFolder, ...recall()])) ??
    (await fetchTools(hostNodeWillDo ? [] : [`node@${workshopNode}`], ownFolder));
  const env = environment(folders);

  return {
    env,
    /** A command of the root package's devDependencies. */
    bin: (name, args, options) =>
      run(join(repository, "node_modules/.bin", name), args, { cwd: repository, env, ...options }),
    /** A TypeScript program, run by Node itself. */
    script: (file, args, options) =>
      run("node", ["--disable-warning=ExperimentalWarning", file, ...args], { cwd: repository, env, ...options }),
    pnpm: (args, options) => run("pnpm", args, { cwd: repository, env, ...options }),
  };
}

function environment(folders) {
  const { PATH, ...rest } = process.env;
  return {
    ...rest,
    PATH: [...folders, PATH].filter(Boolean).join(delimiter),
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_PRINT_VERSION_DISABLED: "1",
    DO_NOT_TRACK: "1",
    npm_config_update_notifier: "false",
  };
}

async function ifTheyWork(folders) {
  const env = environment(folders);
  const ask = (command) => run(command, ["--version"], { cwd: repository, env, quiet: true }).catch(() => undefined);
  const [node, pnpm] = await Promise.all([ask("node"), ask("pnpm")]);
  const nodeWorks = node?.code === 0 && runsTypeScript(node.output.trim().slice(1));
  return nodeWorks && `pnpm@${pnpm?.output.trim()}` === packageManager ? folders : undefined;
}

function recall() {
  try {
    const { folder, packages } = JSON.parse(readFileSync(remembered, "utf8"));
    return packages.includes(packageManager) && existsSync(folder) ? [folder] : [];
  } catch {
    return [];
  }
}

/** Asks npx for the packages and for the folder where it has put their commands, so that later runs need not ask again. */
async function fetchTools(nodes, ownFolder) {
  const packages = [...nodes, packageManager];
  const { command, before } = findNpx();
  const args = [...before, "--yes", ...packages.flatMap((name) => ["-p", name]), "-c", "command -v pnpm"];
  const env = { ...environment([]), npm_config_fetch_retry_mintimeout: "1000", npm_config_loglevel: "error" };
  const { code, output } = await run(command, args, { cwd: repository, env, quiet: true }).catch((error) => {
    throw new Trouble(`npx, which comes with npm, could not be started: ${error.message}`);
  });
  const folder = dirname(output.trim().split("\n").at(-1) ?? "");
  if (code !== 0 || !existsSync(join(folder, "pnpm"))) {
    const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT/.test(output);
    const failure = `${packages.join(" and ")} could not be fetched from the npm registry.`;
    throw offline ? new Trouble(`${failure} Is there a network?`) : new Trouble(failure, output);
  }
  mkdirSync(dirname(remembered), { recursive: true });
  writeFileSync(remembered, JSON.stringify({ folder, packages }));
  return [...ownFolder, folder];
}

/** npx of the npm that started us, else the one beside this Node, else the one on PATH. */
function findNpx() {
  const npm = process.env.npm_execpath;
  const besideNode = dirname(process.execPath);
  const scripts = [
    npm?.endsWith("npm-cli.js") && join(dirname(npm), "npx-cli.js"),
    join(besideNode, "../lib/node_modules/npm/bin/npx-cli.js"),
    join(besideNode, "node_modules/npm/bin/npx-cli.js"),
  ];
  const script = scripts.find((path) => path && existsSync(path));
  return script ? { command: process.execPath, before: [script] } : { command: "npx", before: [] };
}
