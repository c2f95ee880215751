#!/usr/bin/env node
// The one way in: `node integration/run.mjs TASK [-- arguments]`, which is what `npm run demo`, `npm test` and the rest
// call. It needs Node and npm and nothing else: pnpm, and a Node that can run TypeScript where the host's cannot, come
// from the npm registry. This file and its neighbours in workshop/ therefore use no dependency.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { formatTable, readContract, updatePage } from "./workshop/contract-table.mjs";
import { install } from "./workshop/install.mjs";
import { contractOnPeers } from "./workshop/peers.mjs";
import { Trouble } from "./workshop/processes.mjs";
import { installPrograms } from "./workshop/programs.mjs";
import { Proof } from "./workshop/proof.mjs";
import { hostIsTooOld, openToolbox, repository } from "./workshop/toolbox.mjs";

const demo = join(repository, "integration/demo/main.ts");
const benchmarks = join(repository, "integration/bench/main.ts");

const tasks = {
  async demo(tools, args) {
    await install(tools, { only: "@x/lakebase-demo..." });
    await build(tools, "--filter=@x/lakebase-demo^...");
    return tools.script(demo, args);
  },

  async test(tools, args) {
    await install(tools);
    await build(tools);
    const proof = new Proof(tools);
    if (args.length > 0) {
      await proof.tests("tests", args);
      return proof.close();
    }
    await checks(proof);
    const report = await proof.tests("tests", ["--project=unit", "--project=structure", "--project=integration"]);
    const contract = readContract(report);
    console.log(`\n${formatTable(contract)}\n`);
    await proof.step("the page of the contract", () => updatePage(contract));
    await proof.tests("packaging", ["--project=packaging"]);
    await proof.step("demo, in short", () => tools.script(demo, ["--seconds", "8"], { quiet: true }));
    return proof.close();
  },

  async "test:all"(tools) {
    await install(tools);
    await build(tools);
    const proof = new Proof(tools);
    for (const { name, why } of await installPrograms()) proof.notRun(name, why);
    await proof.tests("slow tests", ["--project=slow", "--passWithNoTests"]);
    await contractOnPeers(proof);
    await proof.step("demo, in full", () => tools.script(demo, [], { quiet: true }));
    await proof.step("demo, all identities", () => tools.script(demo, ["--auth", "all"], { quiet: true }));
    return proof.close();
  },

  async bench(tools, args) {
    if (!existsSync(benchmarks))
      throw new Trouble("There are no benchmarks: integration/bench/main.ts does not exist.");
    await install(tools);
    await build(tools);
    return tools.script(benchmarks, args);
  },

  async build(tools) {
    await install(tools);
    await build(tools);
    return 0;
  },

  async check(tools) {
    await install(tools);
    const proof = new Proof(tools);
    await checks(proof);
    return proof.close();
  },

  async format(tools) {
    await install(tools);
    return tools.bin("biome", ["check", "--write"]);
  },
};

async function build(tools, ...only) {
  const { code, output } = await tools.bin("turbo", ["run", "build", "--output-logs=errors-only", ...only], {
    quiet: true,
  });
  if (code !== 0) throw new Trouble("The packages could not be built.", output);
}

async function checks(proof) {
  const { tools } = proof;
  await proof.step("lint and format", () => tools.bin("biome", ["check", "--error-on-warnings"], { quiet: true }));
  await proof.step("types", () =>
    tools.bin("turbo", ["run", "typecheck", "--output-logs=errors-only", "--continue"], { quiet: true }),
  );
  await proof.step("unused files, exports and dependencies", () => tools.bin("knip", [], { quiet: true }));
}

async function main([task, ...rest]) {
  const args = rest[0] === "--" ? rest.slice(1) : rest;
  if (!Object.hasOwn(tasks, task ?? "")) {
    throw new Trouble(
      `${task ? `There is no task "${task}".` : "Which task?"} The tasks are: ${Object.keys(tasks).join(", ")}.`,
    );
  }
  const tooOld = hostIsTooOld(process.versions.node);
  if (tooOld) throw new Trouble(tooOld);
  return await tasks[task](await openToolbox(), args);
}

try {
  const result = await main(process.argv.slice(2));
  process.exitCode = typeof result === "number" ? result : result.code;
} catch (error) {
  if (!(error instanceof Trouble)) throw error;
  if (error.output) process.stderr.write(`${error.output.trimEnd()}\n\n`);
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
