import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatMembers, readContract } from "./contract-table.mjs";
import { run } from "./processes.mjs";
import { repository } from "./toolbox.mjs";

const program = join(repository, "integration/peers/main.ts");

/**
 * Runs the contract on other versions of hosts and drivers than the newest, with our packages as they are published.
 *
 * @param {import("./proof.mjs").Proof} proof
 */
export async function contractOnPeers(proof) {
  const { tools } = proof;
  const base = mkdtempSync(join(tmpdir(), "lakebase-peers-"));
  const remove = () => rmSync(base, { recursive: true, force: true });
  process.once("exit", remove);
  if (await proof.step("peers, installed by npm", () => tools.script(program, [base], { quiet: true }))) {
    for (const { name, folder } of JSON.parse(readFileSync(join(base, "variants.json"), "utf8"))) {
      const bin = (command, args, options) =>
        run(join(folder, "node_modules/.bin", command), args, { cwd: folder, env: tools.env, ...options });
      const report = await proof.tests(`contract on ${name}`, [], bin);
      if (existsSync(report)) console.log(`${formatMembers(readContract(report))}\n`);
      await proof.step(`types on ${name}`, () => complaints(tools, folder));
    }
  }
  remove();
  process.off("exit", remove);
}

/** What the compiler finds wrong in a user's program and in our declarations; those of hosts are not ours to mend. */
async function complaints(tools, folder) {
  const { code, output } = await tools.bin("tsc", ["-p", folder, "--pretty", "false"], { cwd: folder, quiet: true });
  const errors = output.split("\n").filter((line) => line.includes("error TS"));
  const ours = errors.filter((line) => !/^node_modules\/(?!@x\/)/.test(line));
  return errors.length > 0 ? { code: ours.length, output: ours.join("\n") } : { code, output };
}
