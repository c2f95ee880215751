import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, test } from "vitest";

const execute = promisify(execFile);
const { folder, nodes, packages } = inject("consumer");
const entries = packages.flatMap((one) => one.entries);

describe.each(Object.entries(nodes))("on Node %s", (version, node) => {
  const run = async (...args: string[]) => {
    const { stdout, stderr } = await execute(node, args, { cwd: folder, timeout: 60_000 });
    return { stdout: stdout.trim(), stderr };
  };

  test("is what its name says", async () => {
    expect(await run("--version")).toEqual({ stdout: `v${version}`, stderr: "" });
  });

  test("every entry gives the same names to `import` and to `require`", async () => {
    const { stdout, stderr } = await run("names.mjs", ...entries);
    const found: Record<string, { imported: string[]; required: string[] }> = JSON.parse(stdout);
    expect(Object.keys(found)).toEqual(entries);
    for (const { imported, required } of Object.values(found)) {
      expect(imported.length).toBeGreaterThan(0);
      expect(imported).toEqual(required);
    }
    expect(stderr).toBe("");
  });

  test("the command line is there under its name, and says which version it is", async () => {
    const manifest = JSON.parse(await readFile(join(folder, "node_modules/@x/lakebase-cli/package.json"), "utf8"));
    const { stdout, stderr } = await run("node_modules/.bin/lakebase", "--version");
    expect({ stdout, stderr }).toEqual({ stdout: manifest.version, stderr: "" });
  });

  test.each(["import", "require"])(
    "a program that has every adapter by `%s` logs in to the local Lakebase with each, closes and ends by itself",
    async (way) => {
      const { stdout, stderr } = await run("adapters.mjs", way);
      expect(stdout.split("\n")).toEqual([
        "pg: acme+lakebase",
        "drizzle: acme+lakebase",
        "kysely: acme+lakebase",
        "knex: acme+lakebase",
        "typeorm: acme+lakebase",
        "postgres-js: acme+lakebase",
        "drizzle on postgres-js: acme+lakebase",
      ]);
      expect(stderr).not.toMatch(/warning|deprecat/i);
    },
  );
});
