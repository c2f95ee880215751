import type { AdapterName, Counter, CounterOptions } from "./counter.ts";

/** Loads no library that takes no orders. */
const counters: Record<
  AdapterName,
  () => Promise<{ openCounter(options: CounterOptions): Counter | Promise<Counter> }>
> = {
  pg: () => import("./pg.ts"),
  drizzle: () => import("./drizzle.ts"),
  kysely: () => import("./kysely.ts"),
  knex: () => import("./knex.ts"),
  typeorm: () => import("./typeorm.ts"),
  "postgres-js": () => import("./postgres-js.ts"),
};

/** A counter for each library, on the same database and the same token, each with a name of its own. */
export async function openCounters(
  adapters: readonly AdapterName[],
  options: Omit<CounterOptions, "applicationName">,
): Promise<Map<AdapterName, Counter>> {
  const opened = new Map<AdapterName, Counter>();
  try {
    for (const adapter of adapters) {
      const { openCounter } = await counters[adapter]();
      opened.set(adapter, await openCounter({ ...options, applicationName: nameOfCounter(adapter) }));
    }
    return opened;
  } catch (error) {
    await Promise.all([...opened.values()].map((counter) => counter.end()));
    throw error;
  }
}

/** By which Databricks tells the logins of one counter from those of another. */
export function nameOfCounter(adapter: AdapterName): { isv: string; product: string; version: string } {
  return { isv: "acme", product: `orders-${adapter}`, version: "1.0" };
}
