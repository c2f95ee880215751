import type { Lakebase } from "@x/lakebase-core";

/** The libraries that can take orders, and by which the command line knows them. */
export const adapterNames = ["pg", "drizzle", "kysely", "knex", "typeorm", "postgres-js"] as const;
export type AdapterName = (typeof adapterNames)[number];

export interface OrderRequest {
  worker: number;
  number: number;
  customerId: number;
  lines: { productId: number; quantity: number }[];
}

/** Where orders are taken, with one library. */
export interface Counter {
  /**
   * Takes the goods from the stock and their price from the customer, or does neither.
   *
   * Rows are locked in one order at every counter, the customer first and then the products by id: two orders may wait
   * for each other, but never in a circle.
   *
   * @returns the order's id, once it is committed
   */
  placeOrder(request: OrderRequest): Promise<number>;
  end(): Promise<void>;
}

/** What every counter is opened with: all of them share one handle, and so one token. */
export interface CounterOptions {
  lakebase: Lakebase;
  applicationName: { isv: string; product: string; version: string };
  max: number;
  maxLifetimeSeconds: number;
}

interface PricedLine {
  productId: number;
  quantity: number;
  priceCents: number;
}

/** What an order costs, from the rows that were locked for it; throws when goods or money do not suffice. */
export function priceOrder(
  { customerId, lines: wanted }: OrderRequest,
  customer: { balanceCents: number } | undefined,
  products: { id: number; name: string; priceCents: number; stock: number }[],
): { lines: PricedLine[]; totalCents: number } {
  const lines = products.map(({ id, name, priceCents, stock }) => {
    const quantity = wanted.find(({ productId }) => productId === id)?.quantity ?? 0;
    if (stock < quantity) throw new Error(`${name}: only ${stock} left`);
    return { productId: id, quantity, priceCents };
  });
  const totalCents = lines.reduce((total, { quantity, priceCents }) => total + quantity * priceCents, 0);
  if (!customer || customer.balanceCents < totalCents) throw new Error(`customer ${customerId} cannot pay`);
  return { lines, totalCents };
}
