import { parseArgs } from "node:util";
import { type AdapterName, adapterNames } from "./app/counters/counter.ts";
import { type WayName, wayNames } from "./identities/ways.ts";

/** Below, the faults would not fit; above, it is no demo any more. */
const limits = { least: 8, most: 3600, usual: 20 };

export const help = `Usage: node integration/demo/main.ts [--seconds N] [--adapter NAME] | --auth NAME

An order-taking service under load on a local Lakebase whose tokens live a few
seconds, while the compute is suspended, a token revoked and the token endpoint out
of order. Ends with a summary by the server's own record; exits with 1 when anything
in it is not as it should be.

Options:
  --seconds N      how long the load lasts, ${limits.least} to ${limits.most} (default ${limits.usual})
  --adapter NAME   the library that takes the orders: ${adapterNames.join(", ")},
                   or all (default): on one database, with one token, in turn
  --auth NAME      instead of the load: one program, unchanged, by its environment
                   alone: ${wayNames.join(", ")}
                   or all
  --help           shows this
`;

export type CommandLine =
  | { act: "help" }
  | { act: "load"; seconds: number; adapters: readonly AdapterName[] }
  | { act: "identities"; names: readonly WayName[] };

/** @throws Error with one sentence for the person who has typed the arguments */
export function parseCommandLine(args: string[]): CommandLine {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: { seconds: text, adapter: text, auth: text, help: { type: "boolean" } },
  });
  if (values.help) return { act: "help" };
  if (values.auth !== undefined) {
    if (values.seconds !== undefined || values.adapter !== undefined) {
      throw new Error("--auth shows identities without a load: give it without --seconds and --adapter");
    }
    return { act: "identities", names: chosen("--auth", values.auth, wayNames) };
  }
  const seconds = Number(values.seconds ?? limits.usual);
  if (!Number.isInteger(seconds) || seconds < limits.least || seconds > limits.most) {
    throw new Error(`--seconds must be a whole number from ${limits.least} to ${limits.most}, not "${values.seconds}"`);
  }
  return { act: "load", seconds, adapters: chosen("--adapter", values.adapter ?? "all", adapterNames) };
}

function chosen<Name extends string>(option: string, value: string, names: readonly Name[]): readonly Name[] {
  const found = value === "all" ? names : names.filter((name) => name === value);
  if (found.length === 0) throw new Error(`${option} must be one of ${names.join(", ")} and all, not "${value}"`);
  return found;
}
