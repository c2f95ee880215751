// Furnishes one folder per variant: our tarballs, installed by npm beside the peers of the variant, with the contract and
// vitest: node main.ts <folder>. What is in which folder is written to variants.json in it.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { catalogVersion, npmInstall, type PackedPackage, pack, readCatalog } from "../packaging/tarballs.ts";
import { contract, members, packagesOf, sharedFiles } from "./contract-files.ts";
import { readVariants, type Variant } from "./matrix.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

const [base] = process.argv.slice(2);
if (!base) throw new Error("usage: node main.ts <folder>");

const packed = await pack(base);
const furnished = readVariants().map((variant) => furnish(join(base, variant.name.replaceAll(" ", "-")), variant));
writeFileSync(join(base, "variants.json"), JSON.stringify(await Promise.all(furnished)));

async function furnish(folder: string, variant: Variant) {
  const affected = members().filter(({ packages }) => packages.some((name) => Object.hasOwn(variant.versions, name)));
  const files = [...sharedFiles(), ...new Set(affected.flatMap((member) => member.files))];
  for (const file of files) {
    mkdirSync(dirname(join(folder, "contract", file)), { recursive: true });
    cpSync(join(contract, file), join(folder, "contract", file));
  }
  cpSync(fileURLToPath(new URL("fixtures", import.meta.url)), folder, { recursive: true });
  const dependencies = choose(variant, packagesOf(files), packed);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  const types = { extends: join(repository, "tsconfig.base.json"), include: ["contract"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(types));
  await npmInstall(folder);
  check(folder, variant, dependencies);
  return { name: variant.name, folder };
}

/** An exact version, or the tarball, of each package that is wanted. */
function choose(variant: Variant, wanted: readonly string[], ours: readonly PackedPackage[]): Record<string, string> {
  const tarballs = Object.fromEntries(ours.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const catalog = readCatalog();
  const types = ["node", ...wanted].map((name) => `@types/${name}`).filter((name) => Object.hasOwn(catalog, name));
  return Object.fromEntries(
    [...new Set([...wanted, ...types, ...Object.keys(variant.versions)])].map((name) => [
      name,
      tarballs[name] ?? variant.versions[name] ?? catalogVersion(name),
    ]),
  );
}

/** npm may lay other versions out than it was asked for: the table of results must not lie about them. */
function check(folder: string, variant: Variant, dependencies: Record<string, string>): void {
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  const installed = Object.entries<{ version: string }>(lock.packages);
  const wrong = Object.entries(dependencies)
    .filter(([, wanted]) => !wanted.startsWith("file:"))
    .flatMap(([name, wanted]) =>
      installed
        // Of a peer there must be one copy only; of anything else the one that the contract imports counts.
        .filter(([path]) =>
          Object.hasOwn(variant.versions, name)
            ? path.endsWith(`node_modules/${name}`)
            : path === `node_modules/${name}`,
        )
        .filter(([, { version }]) => version !== wanted)
        .map(([path, { version }]) => `${path} is ${version}, not ${wanted}`),
    );
  const missing = Object.keys(dependencies).filter((name) => !lock.packages[`node_modules/${name}`]);
  if (wrong.length + missing.length > 0) {
    throw new Error(`${variant.name}: ${[...wrong, ...missing.map((name) => `${name} is missing`)].join("; ")}`);
  }
}
