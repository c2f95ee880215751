import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, inject, test } from "vitest";

const execute = promisify(execFile);
const repository = fileURLToPath(new URL("../..", import.meta.url));
const commands = join(repository, "node_modules/.bin");
const { packages, folder } = inject("consumer");

describe.each(packages)("$name, packed", ({ name, tarball, files, entries }) => {
  const installed = join(folder, "node_modules", name);

  test("holds the build, the manifest, the readme and the licence, and nothing else", () => {
    const others = files.filter((file) => !/^dist\/[\w/-]+\.(mjs|cjs|d\.mts|d\.cts)$/.test(file));
    expect(others.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
  });

  test("names only versions that a registry knows", async () => {
    const { dependencies, peerDependencies, optionalDependencies } = JSON.parse(
      await readFile(join(installed, "package.json"), "utf8"),
    );
    const ranges = Object.entries({ ...dependencies, ...peerDependencies, ...optionalDependencies });
    expect(ranges.filter(([, range]) => !/^[\d^~<>=][\w .<>=|^~-]*$/.test(String(range)))).toEqual([]);
  });

  test("knows nothing of the folder it was built in", async () => {
    const texts = await Promise.all(
      files.map(async (file) => ({ file, text: await readFile(join(installed, file), "utf8") })),
    );
    const leaks = texts.filter(({ text }) => text.includes(repository) || text.includes("__PACKAGE_VERSION__"));
    expect(leaks.map(({ file }) => file)).toEqual([]);
  });

  test("satisfies publint", async () => {
    await execute(join(commands, "publint"), ["run", tarball, "--strict"]);
  });

  // A package that is a program has nothing to import, and attw no answer for it.
  if (entries.length > 0)
    test("has types that resolve from node10, from node16 in both formats, and from bundlers", async () => {
      await execute(join(commands, "attw"), [tarball, "--profile", "strict"]);
    });
});
