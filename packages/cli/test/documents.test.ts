import { readFileSync } from "node:fs";
import type { LakebaseErrorCode } from "@x/lakebase-core";
import { Command } from "commander";
import { expect, test } from "vitest";
import { exitCodeOf, exitCodes } from "../src/exit-codes.ts";
import { addCommonOptions } from "../src/options.ts";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const manual = read("../../../docs/cli.md");
const readme = read("../README.md");
const errors = read("../../../docs/errors.md");

test("the manual has every exit code, and every error its own", () => {
  const rows = [...manual.matchAll(/^\| (\d+) +\|(.*)\|$/gm)].map(([, code, rest]) => ({ code: Number(code), rest }));
  expect(rows.map(({ code }) => code)).toEqual(Object.values(exitCodes).sort((a, b) => a - b));
  const told = rows.flatMap(({ code, rest }) =>
    [...(rest ?? "").matchAll(/ERR_LAKEBASE_\w+/g)].map(([error]) => `${error} ${code}`),
  );
  const known = [...errors.matchAll(/^## (ERR_LAKEBASE_\w+)$/gm)].map(
    ([, error]) => `${error} ${exitCodeOf(error as LakebaseErrorCode)}`,
  );
  expect(known.length).toBeGreaterThan(10);
  expect(told.sort()).toEqual(known.sort());
});

test.each([
  ["the manual", manual],
  ["the README", readme],
])("%s has every option with its variable", (_name, text) => {
  const rows = [...text.matchAll(/^\| `(--[a-z-]+ <\w+>)` +\| (?:`([A-Z_]+)`)?/gm)].map(([, flag, variable]) => ({
    flag,
    variable,
  }));
  const options = addCommonOptions(new Command()).options.map(({ flags, description }) => ({
    flag: flags,
    variable: /\(([A-Z_]+)\)$/.exec(description)?.[1],
  }));
  expect(rows).toEqual(options);
});

test("no document writes the name without its scope, which is somebody else's package", () => {
  for (const text of [manual, readme, read("../../../docs/migrations.md")]) {
    expect(text.match(/npx lakebase\b.*/g) ?? []).toEqual([]);
  }
});
