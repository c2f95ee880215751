import { lakebaseKnexConfig } from "@x/lakebase-knex";
import knex from "knex";
import { type Counter, type CounterOptions, priceOrder } from "./counter.ts";

/** Knex, with its query builder. */
export function openCounter({ max, maxLifetimeSeconds, ...options }: CounterOptions): Counter {
  const database = knex({
    ...lakebaseKnexConfig({ ...options, pool: { max, maxConnectionLifetimeMillis: maxLifetimeSeconds * 1000 } }),
    // Knex warns of each idle session that ends, and the demo tells of that in its own words.
    log: { warn() {} },
  });
  return {
    placeOrder: (request) =>
      database.transaction(async (tx) => {
        const { worker, number, customerId } = request;
        const customer = await tx("customers").where({ id: customerId }).forUpdate().first("balance_cents");
        const wanted = request.lines.map(({ productId }) => productId);
        const found = await tx("products")
          .select("id", "name", "price_cents as priceCents", "stock")
          .whereIn("id", wanted)
          .orderBy("id")
          .forUpdate();
        const balanceCents = Number(customer.balance_cents);
        const { lines, totalCents } = priceOrder(request, { balanceCents }, found);

        const [order] = await tx("orders")
          .insert({ worker, number, taken_by: "knex", customer_id: customerId, total_cents: totalCents })
          .returning("id");
        for (const { productId, quantity, priceCents } of lines) {
          await tx("order_lines").insert({
            order_id: order.id,
            product_id: productId,
            quantity,
            price_cents: priceCents,
          });
          await tx("products").where({ id: productId }).decrement("stock", quantity);
        }
        await tx("customers").where({ id: customerId }).decrement("balance_cents", totalCents);
        return order.id;
      }),
    end: () => database.destroy(),
  };
}
