import type { AdapterName } from "../app/counters/counter.ts";

/** What the clients of the service saw: to be held against the server's record. */
export class Tally {
  /** Orders that were reported as committed: the order's id by the worker and its number for the order. */
  readonly acknowledged = new Map<string, number>();
  /** The same, counted by the library that took them. */
  readonly takenBy = new Map<AdapterName, number>();
  /** Why an order or a report failed, in the words of the error. */
  readonly failures: string[] = [];
  reports = 0;
  unbalancedReports = 0;

  noteOrder(key: string, id: number, adapter: AdapterName): void {
    this.acknowledged.set(key, id);
    this.takenBy.set(adapter, (this.takenBy.get(adapter) ?? 0) + 1);
  }

  noteFailure(who: string, error: unknown): void {
    const messages: string[] = [];
    for (let link: unknown = error; link instanceof Error; link = link.cause)
      messages.push(link.message.split("\n", 1)[0] ?? "");
    this.failures.push(`${who}: ${messages.join(": ") || String(error)}`);
  }
}

export function orderKey(worker: number, number: number): string {
  return `${worker}/${number}`;
}
