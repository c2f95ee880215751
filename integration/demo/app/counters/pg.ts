import { lakebasePool } from "@x/lakebase-core/pg";
import { type Counter, type CounterOptions, priceOrder } from "./counter.ts";

/** node-postgres, by hand. */
export function openCounter(options: CounterOptions): Counter {
  const pool = lakebasePool(options);
  return {
    async placeOrder(request) {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const customer = await client.query("select balance_cents from customers where id = $1 for update", [
          request.customerId,
        ]);
        const products = await client.query(
          `select id, name, price_cents as "priceCents", stock from products where id = any ($1) order by id for update`,
          [request.lines.map(({ productId }) => productId)],
        );
        const balanceCents = Number(customer.rows[0]?.balance_cents);
        const { lines, totalCents } = priceOrder(request, { balanceCents }, products.rows);
        const order = await client.query(
          `insert into orders (worker, number, taken_by, customer_id, total_cents) values ($1, $2, 'pg', $3, $4)
           returning id`,
          [request.worker, request.number, request.customerId, totalCents],
        );
        const { id } = order.rows[0];
        for (const { productId, quantity, priceCents } of lines) {
          await client.query(
            "insert into order_lines (order_id, product_id, quantity, price_cents) values ($1, $2, $3, $4)",
            [id, productId, quantity, priceCents],
          );
          await client.query("update products set stock = stock - $1 where id = $2", [quantity, productId]);
        }
        await client.query("update customers set balance_cents = balance_cents - $1 where id = $2", [
          totalCents,
          request.customerId,
        ]);
        await client.query("commit");
        client.release();
        return id;
      } catch (error) {
        // With the error: a connection that is in the middle of something is not for the next order.
        client.release(error as Error);
        throw error;
      }
    },
    end: () => pool.end(),
  };
}
