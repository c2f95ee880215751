import { formatApplicationName } from "@x/lakebase-core";
import type { AdapterName } from "../app/counters/counter.ts";
import { nameOfCounter } from "../app/counters/open-counters.ts";
import { applicationName } from "../app/office.ts";

/** The names by which the office and the counters log in. */
export function expectedNames(adapters: readonly AdapterName[]): string[] {
  return [applicationName, ...adapters.map(nameOfCounter)].map(formatApplicationName);
}
