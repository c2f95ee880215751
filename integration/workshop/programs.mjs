import { existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { run } from "./processes.mjs";

/**
 * Programs from outside npm that some slow tests use; any of the names will do. A test that needs one skips itself by name
 * when it is absent.
 *
 * @type {readonly { names: readonly string[], debianPackage: string, usedFor: string }[]}
 */
const programs = [
  {
    names: [
      ...["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"],
      ...["Google Chrome", "Chromium"].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`),
    ],
    debianPackage: "chromium",
    usedFor: "the sign-in in a browser",
  },
];

/** Installs what is absent, but only where LAKEBASE_TEST_INSTALL=1 permits it, and returns what stays absent and why. */
export async function installPrograms(wanted = programs, env = process.env) {
  const absent = () => wanted.filter(({ names }) => !names.some((name) => isOnPath(name, env.PATH)));
  let why = "set LAKEBASE_TEST_INSTALL=1 to have it installed";
  if (env.LAKEBASE_TEST_INSTALL === "1" && absent().length > 0) {
    const aptGet = (...args) =>
      run("apt-get", args, { env, quiet: true }).catch((error) => ({ code: 1, output: error.message }));
    await aptGet("update", "-qq");
    const { code, output } = await aptGet(
      "install",
      "-y",
      "-qq",
      "--no-install-recommends",
      ...absent().map((entry) => entry.debianPackage),
    );
    why = code === 0 ? "its Debian package does not contain it" : `apt-get failed: ${output.trim().split("\n").at(-1)}`;
  }
  return absent().map(({ names, usedFor }) => ({ name: usedFor, why: `${names[0]} is not installed; ${why}` }));
}

function isOnPath(program, path = "") {
  if (isAbsolute(program)) return existsSync(program);
  return path.split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));
}
