import { lakebasePool } from "@x/lakebase-drizzle";
import { asc, eq, inArray, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import * as schema from "../schema.ts";
import { customers, orderLines, orders, products } from "../schema.ts";
import { type Counter, type CounterOptions, priceOrder } from "./counter.ts";

/** Drizzle, with the schema that the tables are made from. */
export function openCounter(options: CounterOptions): Counter {
  const database = drizzle({ client: lakebasePool(options), schema });
  return {
    placeOrder: (request) =>
      database.transaction(async (tx) => {
        const { worker, number, customerId } = request;
        const [customer] = await tx.select().from(customers).where(eq(customers.id, customerId)).for("update");
        const wanted = request.lines.map(({ productId }) => productId);
        const found = await tx
          .select()
          .from(products)
          .where(inArray(products.id, wanted))
          .orderBy(asc(products.id))
          .for("update");
        const { lines, totalCents } = priceOrder(request, customer, found);

        const [order] = await tx
          .insert(orders)
          .values({ worker, number, takenBy: "drizzle", customerId, totalCents })
          .returning({ id: orders.id });
        if (!order) throw new Error("the order was not written");
        await tx.insert(orderLines).values(lines.map((line) => ({ orderId: order.id, ...line })));
        for (const { productId, quantity } of lines) {
          await tx
            .update(products)
            .set({ stock: sql`${products.stock} - ${quantity}` })
            .where(eq(products.id, productId));
        }
        await tx
          .update(customers)
          .set({ balanceCents: sql`${customers.balanceCents} - ${totalCents}` })
          .where(eq(customers.id, customerId));
        return order.id;
      }),
    end: () => database.$client.end(),
  };
}
