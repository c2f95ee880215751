import { count, sql, sum } from "drizzle-orm";
import type { Database } from "./office.ts";
import { opening } from "./opening-stock.ts";
import { customers, orderLines, orders, products } from "./schema.ts";

/** How far the books are off; nothing at all when they balance. */
export interface Books {
  orders: number;
  /** Goods in the stock and in orders, less those of the beginning. */
  stockDifference: number;
  /** Money of the customers and in orders, less that of the beginning. */
  centsDifference: number;
  /** Totals of the orders, less the prices of their lines. */
  lineCentsDifference: number;
}

const openingStock = opening.products.reduce((total, { stock }) => total + stock, 0);
const openingCents = opening.customers.reduce((total, { balanceCents }) => total + balanceCents, 0);

/** Adds everything up in one snapshot, so that orders may be placed meanwhile. */
export function readBooks(database: Database): Promise<Books> {
  return database.transaction(
    async (tx) => {
      const [left] = await tx.select({ stock: total(products.stock) }).from(products);
      const [owned] = await tx.select({ cents: total(customers.balanceCents) }).from(customers);
      const [taken] = await tx.select({ orders: count(), cents: total(orders.totalCents) }).from(orders);
      const [sold] = await tx
        .select({
          quantity: total(orderLines.quantity),
          cents: total(sql`${orderLines.quantity} * ${orderLines.priceCents}`),
        })
        .from(orderLines);
      if (!left || !owned || !taken || !sold) throw new Error("an aggregate answered no row");
      return {
        orders: taken.orders,
        stockDifference: left.stock + sold.quantity - openingStock,
        centsDifference: owned.cents + taken.cents - openingCents,
        lineCentsDifference: taken.cents - sold.cents,
      };
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}

export function balances({ stockDifference, centsDifference, lineCentsDifference }: Books): boolean {
  return stockDifference === 0 && centsDifference === 0 && lineCentsDifference === 0;
}

/** The sum as a number, and of nothing 0. */
function total(column: Parameters<typeof sum>[0]) {
  return sql<number>`coalesce(${sum(column)}, 0)`.mapWith(Number);
}
