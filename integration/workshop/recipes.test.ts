import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test.each([
  ["docs/recipes/sign-in.md", "integration/sign-in/shop.ts"],
  ["docs/recipes/sign-in.md", "integration/sign-in/report.ts"],
])("%s shows the program that is compiled and run: %s", (recipe, program) => {
  expect(read(recipe)).toContain(`\`\`\`ts\n${read(program)}\`\`\``);
});
