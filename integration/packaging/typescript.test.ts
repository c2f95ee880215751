import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, test } from "vitest";

const execute = promisify(execFile);
const { compilers, folder, packages } = inject("consumer");

/** Hosts that shut older compilers out by their own declarations, and the first that they let in. */
const hostsOfNewerCompilers: Readonly<Record<string, number>> = { "@x/lakebase-kysely": 5.4 };

function writeEntries(version: string): void {
  const entries = packages
    .filter(({ name }) => Number.parseFloat(version) >= (hostsOfNewerCompilers[name] ?? 0))
    .flatMap((one) => one.entries);
  const lines = (line: (entry: string, name: string) => string) =>
    entries.map((entry, index) => `${line(entry, `entry${index}`)}\nexport { entry${index} };\n`).join("");
  writeFileSync(
    join(folder, "entries.mts"),
    lines((entry, name) => `import * as ${name} from "${entry}";`),
  );
  writeFileSync(
    join(folder, "entries.cts"),
    lines((entry, name) => `import ${name} = require("${entry}");`),
  );
}

describe.each(Object.entries(compilers))("TypeScript %s", (version, tsc) => {
  test("compiles an application in both formats and finds no fault in our declarations", async () => {
    writeEntries(version);
    const result = await execute(process.execPath, [tsc, "-p", "tsconfig.json"], { cwd: folder }).catch(
      (error) => error,
    );
    const complaints = String(result.stdout)
      .split("\n")
      .filter((line) => line.includes("error TS"));
    // Some compilers stumble over the declarations of others: of Drizzle, of pg-protocol, of Node itself.
    expect(complaints.filter((line) => !/^node_modules\/(?!@x\/)/.test(line))).toEqual([]);
    expect(result.stderr).toBe("");
  });
});
