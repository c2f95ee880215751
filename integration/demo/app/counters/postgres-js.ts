import { lakebasePostgres } from "@x/lakebase-postgres-js";
import { type Counter, type CounterOptions, priceOrder } from "./counter.ts";

/** postgres.js, which needs no builder. */
export function openCounter({ maxLifetimeSeconds, ...options }: CounterOptions): Counter {
  const sql = lakebasePostgres({ ...options, max_lifetime: maxLifetimeSeconds });
  return {
    placeOrder: (request) =>
      sql.begin(async (tx) => {
        const { worker, number, customerId } = request;
        const [customer] = await tx`select balance_cents from customers where id = ${customerId} for update`;
        const wanted = request.lines.map(({ productId }) => productId);
        const found = await tx<{ id: number; name: string; priceCents: number; stock: number }[]>`
          select id, name, price_cents as "priceCents", stock from products
          where id in ${tx(wanted)} order by id for update`;
        const { lines, totalCents } = priceOrder(request, { balanceCents: Number(customer?.balance_cents) }, found);

        const [order] = await tx<{ id: number }[]>`
          insert into orders (worker, number, taken_by, customer_id, total_cents)
          values (${worker}, ${number}, 'postgres-js', ${customerId}, ${totalCents}) returning id`;
        if (!order) throw new Error("the order was not written");
        for (const { productId, quantity, priceCents } of lines) {
          await tx`insert into order_lines (order_id, product_id, quantity, price_cents)
            values (${order.id}, ${productId}, ${quantity}, ${priceCents})`;
          await tx`update products set stock = stock - ${quantity} where id = ${productId}`;
        }
        await tx`update customers set balance_cents = balance_cents - ${totalCents} where id = ${customerId}`;
        return order.id;
      }),
    end: () => sql.end(),
  };
}
