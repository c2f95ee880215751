import { parseArgs } from "node:util";
import { type AdapterName, adapterNames } from "./app/counters/counter.ts";

/** Below, the faults would not fit; above, it is no demo any more. */
const limits = { least: 8, most: 3600, usual: 20 };

export const help = `Usage: node integration/demo/main.ts [--seconds N] [--adapter NAME]

An order-taking service under load on a local Lakebase whose tokens live a few
seconds, while the compute is suspended, a token revoked and the token endpoint out
of order. Ends with a summary by the server's own record; exits with 1 when anything
in it is not as it should be.

Options:
  --seconds N      how long the load lasts, ${limits.least} to ${limits.most} (default ${limits.usual})
  --adapter NAME   the library that takes the orders: ${adapterNames.join(", ")},
                   or all (default): on one database, with one token, in turn
  --help           shows this
`;

export type CommandLine = { help: true } | { help: false; seconds: number; adapters: readonly AdapterName[] };

/** @throws Error with one sentence for the person who has typed the arguments */
export function parseCommandLine(args: string[]): CommandLine {
  const { values } = parseArgs({
    args,
    options: { seconds: { type: "string" }, adapter: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help) return { help: true };
  const { seconds: text = String(limits.usual), adapter = "all" } = values;
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds < limits.least || seconds > limits.most) {
    throw new Error(`--seconds must be a whole number from ${limits.least} to ${limits.most}, not "${text}"`);
  }
  const adapters = adapter === "all" ? adapterNames : adapterNames.filter((name) => name === adapter);
  if (adapters.length === 0) {
    throw new Error(`--adapter must be one of ${adapterNames.join(", ")} and all, not "${adapter}"`);
  }
  return { help: false, seconds, adapters };
}
