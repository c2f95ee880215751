import { execFile } from "node:child_process";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { describe, expect, inject, test } from "vitest";

const execute = promisify(execFile);
const { folder } = inject("consumer");

/** What an application that imports an entry has loaded anyway. */
const drivers: Readonly<Record<string, string>> = {
  "@x/lakebase-core/pg": "pg",
  "@x/lakebase-core/postgres-js": "postgres",
};

describe("importing core", () => {
  test.each([
    // Every file costs import time, and so does every module of Node that the driver has not loaded already.
    ["@x/lakebase-core", 4, ["node:diagnostics_channel"]],
    ["@x/lakebase-core/pg", 2, ["node:events"]],
    ["@x/lakebase-core/postgres-js", 2, ["node:events"]],
  ])("%s loads %i files, and of Node only what costs nothing", async (entry, files, builtins) => {
    const driver = drivers[entry];
    const before = driver ? ["node:diagnostics_channel", driver] : [];
    const loaded = await loads(entry, ...before);
    expect(loaded.filter((module) => module.startsWith("@x/"))).toHaveLength(files);
    expect(loaded.filter((module) => module.startsWith("node:"))).toEqual(builtins);
  });

  test.each(["@x/lakebase-core", ...Object.keys(drivers)])(
    "%s adds less than 10 kB, minified and compressed, to an application that has the driver",
    async (entry) => {
      const bundle = await rolldown({
        cwd: folder,
        input: "application",
        external: [/^node:/, ...Object.values(drivers)],
        plugins: [
          {
            name: "application",
            resolveId: (id) => (id === "application" ? join(folder, "application.js") : null),
            load: (id) => (id === join(folder, "application.js") ? `export * from "${entry}";` : null),
          },
        ],
      });
      // Without a hash in each name that is imported later: it would count, and is the bundler's.
      const { output } = await bundle.generate({ minify: true, chunkFileNames: "[name].js" });
      const chunks = output.flatMap((part) => (part.type === "chunk" ? [part] : []));
      const size = (code: string) => gzipSync(code, { level: 9 }).length;
      const atOnce = withStaticImports(chunks.filter((chunk) => chunk.isEntry));
      const later = chunks.filter((chunk) => !atOnce.includes(chunk));
      const bytes = atOnce.reduce((sum, chunk) => sum + size(chunk.code), 0);
      console.log(
        `${entry}: ${bytes} bytes at once, ${later.reduce((sum, { code }) => sum + size(code), 0)} on first use`,
      );
      expect(bytes).toBeLessThan(10_000);

      function withStaticImports(start: typeof chunks): typeof chunks {
        const found = new Set(start);
        for (const chunk of found)
          for (const other of chunks) if (chunk.imports.includes(other.fileName)) found.add(other);
        return [...found];
      }
    },
  );

  // A stopwatch depends on the machine, so it is shown and not judged; the two tests above hold what it depends on.
  test("has a time that is printed", async () => {
    const samples: Record<string, number[]> = { "@x/lakebase-core": [] };
    for (const entry of Object.keys(drivers)) samples[entry] = [];
    for (let round = 0; round < 11; round++) {
      for (const [entry, times] of Object.entries(samples)) {
        const { stdout } = await execute(process.execPath, ["stopwatch.mjs", entry, "pg", "postgres"], { cwd: folder });
        times.push(Number(stdout));
      }
    }
    for (const [entry, times] of Object.entries(samples)) {
      const median = times.sort((a, b) => a - b)[times.length >> 1];
      console.log(`import of ${entry} on top of the drivers: ${median?.toFixed(1)} ms (median of ${times.length})`);
      expect(median).toBeGreaterThan(0);
    }
  });
});

/** What an import loads, Node's modules first, files by their path in node_modules. */
async function loads(entry: string, ...before: string[]): Promise<string[]> {
  const { stdout } = await execute(process.execPath, ["loads.mjs", entry, ...before], { cwd: folder });
  const urls: string[] = JSON.parse(stdout);
  const builtins = urls.filter((url) => !url.startsWith("file:"));
  const files = urls.filter((url) => url.startsWith("file:"));
  return [...builtins.sort(), ...files.map((url) => relative(join(folder, "node_modules"), fileURLToPath(url))).sort()];
}
