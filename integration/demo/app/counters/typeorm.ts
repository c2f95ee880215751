import { lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
import { DataSource, EntitySchema, In } from "typeorm";
import { type Counter, type CounterOptions, priceOrder } from "./counter.ts";

/** node-postgres reads a `bigint` as text. */
const bigInteger = { type: "bigint", transformer: { from: Number, to: (value: number) => value } } as const;

const Customer = new EntitySchema<{ id: number; name: string; balanceCents: number }>({
  name: "customers",
  columns: {
    id: { type: "int", primary: true },
    name: { type: "text" },
    balanceCents: { ...bigInteger, name: "balance_cents" },
  },
});
const Product = new EntitySchema<{ id: number; name: string; priceCents: number; stock: number }>({
  name: "products",
  columns: {
    id: { type: "int", primary: true },
    name: { type: "text" },
    priceCents: { type: "int", name: "price_cents" },
    stock: { type: "int" },
  },
});
interface PlacedOrder {
  id: number;
  worker: number;
  number: number;
  takenBy: string;
  customerId: number;
  totalCents: number;
}
const PlacedOrder = new EntitySchema<PlacedOrder>({
  name: "orders",
  columns: {
    id: { type: "int", primary: true, generated: "increment" },
    worker: { type: "int" },
    number: { type: "int" },
    takenBy: { type: "text", name: "taken_by" },
    customerId: { type: "int", name: "customer_id" },
    totalCents: { ...bigInteger, name: "total_cents" },
  },
});
const OrderLine = new EntitySchema<{ orderId: number; productId: number; quantity: number; priceCents: number }>({
  name: "order_lines",
  columns: {
    orderId: { type: "int", primary: true, name: "order_id" },
    productId: { type: "int", primary: true, name: "product_id" },
    quantity: { type: "int" },
    priceCents: { type: "int", name: "price_cents" },
  },
});

/** TypeORM, with entities. */
export async function openCounter({ max, maxLifetimeSeconds, ...options }: CounterOptions): Promise<Counter> {
  const source = new DataSource({
    ...lakebaseDataSourceOptions(options),
    poolSize: max,
    extra: { maxLifetimeSeconds },
    entities: [Customer, Product, PlacedOrder, OrderLine],
  });
  await source.initialize();
  return {
    placeOrder: (request) =>
      source.transaction(async (manager) => {
        const { worker, number, customerId } = request;
        const lock = { mode: "pessimistic_write" } as const;
        const customer = await manager.findOneOrFail(Customer, { where: { id: customerId }, lock });
        const wanted = request.lines.map(({ productId }) => productId);
        const found = await manager.find(Product, { where: { id: In(wanted) }, order: { id: "asc" }, lock });
        const { lines, totalCents } = priceOrder(request, customer, found);

        const order = { worker, number, takenBy: "typeorm", customerId, totalCents };
        const { identifiers } = await manager.insert(PlacedOrder, order);
        const orderId: number = identifiers[0]?.id;
        for (const { productId, quantity, priceCents } of lines) {
          await manager.insert(OrderLine, { orderId, productId, quantity, priceCents });
          await manager.decrement(Product, { id: productId }, "stock", quantity);
        }
        await manager.decrement(Customer, { id: customerId }, "balanceCents", totalCents);
        return orderId;
      }),
    end: () => source.destroy(),
  };
}
