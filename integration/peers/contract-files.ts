import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "rolldown/utils";

export const contract = fileURLToPath(new URL("../contract", import.meta.url));

/** A member of the contract: what has a test in `contract/adapters`. */
export interface Member {
  readonly name: string;
  /** Its own files, relative to the folder of the contract. */
  readonly files: readonly string[];
  /** npm packages that they import. */
  readonly packages: readonly string[];
}

/** The members that exist. */
export function members(): Member[] {
  return readdirSync(join(contract, "adapters"))
    .filter((file) => file.endsWith(".test.ts"))
    .sort()
    .map((file) => {
      const files = own(join("adapters", file));
      return { name: basename(file, ".test.ts"), files, packages: packagesOf(files) };
    });
}

/** The files that all members share. */
export function sharedFiles(): string[] {
  return readdirSync(contract, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !isOwn(file),
  );
}

/** npm packages that files of the contract import. */
export function packagesOf(files: readonly string[]): string[] {
  const requests = files.flatMap(requestsOf).filter((request) => !request.startsWith(".") && !isBuiltin(request));
  return [...new Set(requests.map((request) => /^(@[^/]+\/)?[^/]+/.exec(request)?.[0] ?? request))].sort();
}

/** A file in `adapters/` and those beside it that it imports. */
function own(file: string, found: string[] = []): string[] {
  if (!isOwn(file) || found.includes(file)) return found;
  const neighbours = requestsOf(file).filter((request) => request.startsWith("."));
  return neighbours.reduce((rest, request) => own(join(dirname(file), request), rest), [...found, file]);
}

function isOwn(file: string): boolean {
  return !relative("adapters", file).startsWith("..");
}

function requestsOf(file: string): string[] {
  const text = readFileSync(join(contract, file), "utf8");
  const { module } = parseSync(file, text);
  const literal = /^["'](.+)["']$/;
  return [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.dynamicImports.flatMap(({ moduleRequest }) => {
      const [, name] = literal.exec(text.slice(moduleRequest.start, moduleRequest.end)) ?? [];
      return name ?? [];
    }),
  ];
}
