/** How the drivers and ORMs that we know are ended, the first that is there. Each waits for the queries that run. */
const words = ["end", "destroy", "close", "$disconnect", Symbol.asyncDispose] as const;

/** What ends something that was opened, or the client in it, where Drizzle keeps it. */
export function closerOf(opened: unknown): (() => Promise<void>) | undefined {
  for (const owner of [opened, (Object(opened) as { $client?: unknown }).$client]) {
    for (const word of words) {
      const method: unknown = (Object(owner) as Record<PropertyKey, unknown>)[word];
      if (typeof method === "function") return async () => void (await method.call(owner));
    }
  }
  return undefined;
}
