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
      await proof.step(`types of ${name}`, () => tools.bin("tsc", ["-p", folder], { quiet: true }));
    }
  }
  remove();
  process.off("exit", remove);
}
