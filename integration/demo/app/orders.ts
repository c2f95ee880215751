import { desc } from "drizzle-orm";
import type { Database } from "./office.ts";
import { orders } from "./schema.ts";

/** The newest orders, with who has ordered what. */
export function latestOrders(database: Database) {
  return database.query.orders.findMany({
    orderBy: desc(orders.id),
    limit: 5,
    with: {
      customer: { columns: { name: true } },
      lines: { with: { product: { columns: { name: true } } } },
    },
  });
}
