// Furnishes one folder per variant: our tarballs, installed by npm beside the peers of the variant, with the contract and
// vitest: node main.ts <folder>. What is in which folder is written to variants.json in it.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { catalogVersion, npmInstall, pack } from "../packaging/tarballs.ts";
import { contract, members, packagesOf, sharedFiles } from "./contract-files.ts";
import { readPeers, readVariants, triedElsewhere, type Variant } from "./matrix.ts";

const [base] = process.argv.slice(2);
if (!base) throw new Error("usage: node main.ts <folder>");

const packed = await pack(base);
const furnished = readVariants().map((variant) => furnish(join(base, variant.name.replaceAll(" ", "-")), variant));
writeFileSync(join(base, "variants.json"), JSON.stringify(await Promise.all(furnished)));

async function furnish(folder: string, variant: Variant) {
  const everybody = members();
  const affected = everybody.filter(({ packages }) => packages.some((name) => Object.hasOwn(variant.versions, name)));
  const files = [...sharedFiles(), ...new Set(affected.flatMap((member) => member.files))];
  for (const file of files) {
    mkdirSync(dirname(join(folder, "contract", file)), { recursive: true });
    cpSync(join(contract, file), join(folder, "contract", file));
  }
  cpSync(fileURLToPath(new URL("fixtures", import.meta.url)), folder, { recursive: true });
  const application = fileURLToPath(new URL("../packaging/fixtures", import.meta.url));
  cpSync(join(application, "application.mts"), join(folder, "application.mts"));
  const entries = packed.flatMap((one) => one.entries);
  writeFileSync(
    join(folder, "entries.mts"),
    entries.map((entry, index) => `export * as entry${index} from "${entry}";\n`).join(""),
  );
  const types = { extends: join(application, "tsconfig.json"), files: ["application.mts", "entries.mts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(types));
  // Of all members: TypeORM and Knex load for themselves what others import.
  const imported = packagesOf([...sharedFiles(), ...everybody.flatMap((member) => member.files)]);
  const dependencies = choose(variant, imported);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  await npmInstall(folder);
  check(folder, variant, dependencies);
  return { name: variant.name, folder };
}

/** Our tarballs and, at an exact version each, their peers and what the contract imports. */
function choose(variant: Variant, wanted: readonly string[]): Record<string, string> {
  const tarballs = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const peers = readPeers().filter(({ name }) => !Object.hasOwn(triedElsewhere, name));
  const names = new Set([...wanted, ...peers.map(({ name }) => name), ...Object.keys(variant.versions)]);
  const versions = [...names]
    .filter((name) => !Object.hasOwn(tarballs, name))
    .map((name) => [name, variant.versions[name] ?? catalogVersion(name)]);
  return { ...tarballs, ...Object.fromEntries(versions) };
}

/** npm may lay other versions out than it was asked for: the table of results must not lie about them. */
function check(folder: string, variant: Variant, dependencies: Record<string, string>): void {
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  // What the contract imports, and what our packages and the hosts do. Others may need another version and bring their own.
  const owners = ["", ...packed.map(({ name }) => name), ...Object.keys(variant.versions)];
  const wrong = Object.entries(dependencies)
    .filter(([, wanted]) => !wanted.startsWith("file:"))
    .flatMap(([name, wanted]) =>
      owners
        .map((owner) => join("node_modules", owner, owner && "node_modules", name))
        .filter((path) => lock.packages[path] && lock.packages[path].version !== wanted)
        .map((path) => `${path} is ${lock.packages[path].version}, not ${wanted}`),
    );
  const missing = Object.keys(dependencies).filter((name) => !lock.packages[`node_modules/${name}`]);
  if (wrong.length + missing.length > 0) {
    throw new Error(`${variant.name}: ${[...wrong, ...missing.map((name) => `${name} is missing`)].join("; ")}`);
  }
}
