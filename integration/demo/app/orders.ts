import { asc, desc, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { customers, orderLines, orders, products } from "./schema.ts";

export interface OrderRequest {
  worker: number;
  number: number;
  customerId: number;
  lines: { productId: number; quantity: number }[];
}

/**
 * Takes the goods from the stock and their price from the customer, or does neither.
 *
 * Rows are locked in one order everywhere, the customer first and then the products by id: two orders may wait for each
 * other, but never in a circle.
 *
 * @returns the order's id, once it is committed
 */
export function placeOrder(database: Database, request: OrderRequest): Promise<number> {
  const { worker, number, customerId } = request;
  return database.transaction(async (tx) => {
    const [customer] = await tx.select().from(customers).where(eq(customers.id, customerId)).for("update");
    const ordered = await tx
      .select()
      .from(products)
      .where(
        inArray(
          products.id,
          request.lines.map(({ productId }) => productId),
        ),
      )
      .orderBy(asc(products.id))
      .for("update");

    const lines = ordered.map((product) => {
      const quantity = request.lines.find(({ productId }) => productId === product.id)?.quantity ?? 0;
      if (product.stock < quantity) throw new Error(`${product.name}: only ${product.stock} left`);
      return { productId: product.id, quantity, priceCents: product.priceCents };
    });
    const totalCents = lines.reduce((total, { quantity, priceCents }) => total + quantity * priceCents, 0);
    if (!customer || customer.balanceCents < totalCents) throw new Error(`customer ${customerId} cannot pay`);

    const [order] = await tx
      .insert(orders)
      .values({ worker, number, customerId, totalCents })
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
  });
}

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
