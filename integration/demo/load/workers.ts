import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { balances, readBooks } from "../app/books.ts";
import type { AdapterName, Counter, OrderRequest } from "../app/counters/counter.ts";
import type { Database } from "../app/office.ts";
import { opening } from "../app/opening-stock.ts";
import { latestOrders } from "../app/orders.ts";
import { orderKey, type Tally } from "./tally.ts";
import type { Turnstile } from "./turnstile.ts";

export interface Workplace {
  office: Database;
  counters: ReadonlyMap<AdapterName, Counter>;
  turnstile: Turnstile;
  tally: Tally;
  /** Ends the work; what has begun is finished. */
  signal: AbortSignal;
}

export const workers = 6;
const orderPauseMs = 15;
const reportPauseMs = 250;

/** Settles when all workers have gone home. */
export async function runLoad(workplace: Workplace): Promise<void> {
  const orderTakers = Array.from({ length: workers }, (_, index) => takeOrders(index + 1, workplace));
  await Promise.all([...orderTakers, report(workplace)]);
}

/** One order after the other, each at the next counter. */
async function takeOrders(worker: number, { counters, turnstile, tally, signal }: Workplace): Promise<void> {
  const row = [...counters];
  for (let number = 1; !signal.aborted; number += 1) {
    const [adapter, counter] = row[(worker + number) % row.length] ?? [];
    if (!adapter || !counter) throw new Error("there is no counter");
    await turnstile.pass(async () => {
      try {
        const id = await counter.placeOrder({ worker, number, ...randomOrder() });
        tally.noteOrder(orderKey(worker, number), id, adapter);
      } catch (error) {
        // Not tried again: a failure that this service would have shown to somebody has to be seen here too.
        tally.noteFailure(`order ${orderKey(worker, number)} by ${adapter}`, error);
      }
    });
    await pace(orderPauseMs, signal);
  }
}

async function report({ office, turnstile, tally, signal }: Workplace): Promise<void> {
  while (!signal.aborted) {
    await turnstile.pass(async () => {
      try {
        const [latest, books] = await Promise.all([latestOrders(office), readBooks(office)]);
        const complete = latest.every(
          ({ totalCents, lines }) =>
            totalCents === lines.reduce((total, { quantity, priceCents }) => total + quantity * priceCents, 0),
        );
        tally.reports += 1;
        if (!complete || !balances(books)) tally.unbalancedReports += 1;
      } catch (error) {
        tally.noteFailure("report", error);
      }
    });
    await pace(reportPauseMs, signal);
  }
}

function randomOrder(): Pick<OrderRequest, "customerId" | "lines"> {
  const productIds = new Set(Array.from({ length: 3 }, () => 1 + randomInt(opening.products.length)));
  return {
    customerId: 1 + randomInt(opening.customers.length),
    lines: [...productIds].map((productId) => ({ productId, quantity: 1 + randomInt(3) })),
  };
}

/** Customers do not come as fast as a machine can count. */
async function pace(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
