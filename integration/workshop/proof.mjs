import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./toolbox.mjs";

const results = join(repository, "integration/results");

/** Runs steps one after the other, whatever becomes of the earlier ones, and closes with what passed and failed. */
export class Proof {
  #passed = 0;
  #failed = 0;
  #lines = [];
  #notRun = [];

  constructor(tools) {
    this.tools = tools;
  }

  /** One step that counts as one: it passes when its program ends with 0. Returns whether it has. */
  async step(name, start) {
    const began = performance.now();
    const { code, output } = await start();
    if (code !== 0) process.stdout.write(`\n${name} failed:\n${output.trimEnd()}\n\n`);
    this.#tell(name, code === 0 ? "passed" : "FAILED", began);
    this.#count(code === 0 ? 1 : 0, code === 0 ? 0 : 1);
    return code === 0;
  }

  /**
   * A run of vitest, which counts as many as it has tests. Returns the file of its report.
   *
   * @param {string} name
   * @param {readonly string[]} args
   * @param {typeof this.tools.bin} [bin] runs a command; by default one of the root package, in the root
   */
  async tests(name, args, bin = this.tools.bin) {
    const began = performance.now();
    const file = join(results, `${name.replaceAll(" ", "-")}.json`);
    mkdirSync(results, { recursive: true });
    rmSync(file, { force: true });
    const { code } = await bin("vitest", [
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
      ...args,
    ]);
    const { passed, failed, skipped } = readReport(file);
    // Vitest also fails for what belongs to no test: an error that nobody caught, or a report that was never written.
    const failures = failed === 0 && code !== 0 ? 1 : failed;
    const nothing = passed + failures + skipped.length === 0;
    if (nothing) this.notRun(name, "there are none");
    for (const { fullName, meta } of skipped) this.notRun(fullName, meta?.notRun ?? "it skipped itself");
    this.#tell(
      name,
      nothing ? "none" : failures > 0 ? `${passed} passed, ${failures} FAILED` : `${passed} passed`,
      began,
    );
    this.#count(passed, failures);
    return file;
  }

  notRun(name, why) {
    this.#notRun.push(`not run: ${name} (${why})`);
  }

  /** Prints the account and returns the exit code. */
  close() {
    console.log(["", ...this.#lines, ...this.#notRun, `${this.#passed} passed, ${this.#failed} failed`].join("\n"));
    return this.#failed === 0 && this.#passed > 0 ? 0 : 1;
  }

  #count(passed, failed) {
    this.#passed += passed;
    this.#failed += failed;
  }

  #tell(name, result, began) {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const line = `${name.padEnd(40)} ${result}, ${seconds} s`;
    this.#lines.push(line);
    console.log(line);
  }
}

/** A file that could not be loaded has no tests in the report; it counts as one that failed. */
function readReport(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: [] };
  const { testResults } = JSON.parse(readFileSync(file, "utf8"));
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const having = (...statuses) => tests.filter(({ status }) => statuses.includes(status));
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  );
  return {
    passed: having("passed").length,
    failed: having("failed").length + broken.length,
    // What a host lacks stands in the table of the contract, with the reason.
    skipped: having("skipped", "pending", "todo", "disabled").filter(({ meta }) => !meta?.lacks),
  };
}
