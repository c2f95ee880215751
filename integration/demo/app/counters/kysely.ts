import { LakebaseDialect } from "@x/lakebase-kysely";
import { type ColumnType, type Generated, Kysely, sql } from "kysely";
import { type Counter, type CounterOptions, priceOrder } from "./counter.ts";

/** node-postgres reads a `bigint` as text and takes it as a number. */
type BigInteger = ColumnType<string, number, number>;

interface Database {
  customers: { id: number; name: string; balance_cents: BigInteger };
  products: { id: number; name: string; price_cents: number; stock: number };
  orders: {
    id: Generated<number>;
    worker: number;
    number: number;
    taken_by: string;
    customer_id: number;
    total_cents: BigInteger;
  };
  order_lines: { order_id: number; product_id: number; quantity: number; price_cents: number };
}

/** Kysely, with the tables described by hand. */
export function openCounter(options: CounterOptions): Counter {
  const database = new Kysely<Database>({ dialect: new LakebaseDialect(options) });
  return {
    placeOrder: (request) =>
      database.transaction().execute(async (tx) => {
        const { worker, number, customerId } = request;
        const customer = await tx
          .selectFrom("customers")
          .select("balance_cents")
          .where("id", "=", customerId)
          .forUpdate()
          .executeTakeFirstOrThrow();
        const found = await tx
          .selectFrom("products")
          .select(["id", "name", "price_cents as priceCents", "stock"])
          .where(
            "id",
            "in",
            request.lines.map(({ productId }) => productId),
          )
          .orderBy("id")
          .forUpdate()
          .execute();
        const { lines, totalCents } = priceOrder(request, { balanceCents: Number(customer.balance_cents) }, found);

        const { id } = await tx
          .insertInto("orders")
          .values({ worker, number, taken_by: "kysely", customer_id: customerId, total_cents: totalCents })
          .returning("id")
          .executeTakeFirstOrThrow();
        for (const { productId, quantity, priceCents } of lines) {
          await tx
            .insertInto("order_lines")
            .values({ order_id: id, product_id: productId, quantity, price_cents: priceCents })
            .execute();
          await tx
            .updateTable("products")
            .set((eb) => ({ stock: eb("stock", "-", quantity) }))
            .where("id", "=", productId)
            .execute();
        }
        await tx
          .updateTable("customers")
          .set({ balance_cents: sql<number>`balance_cents - ${totalCents}` })
          .where("id", "=", customerId)
          .execute();
        return id;
      }),
    end: () => database.destroy(),
  };
}
