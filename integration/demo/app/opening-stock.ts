import type { Database } from "./office.ts";
import { customers, products } from "./schema.ts";

/** What the shop has and what its customers own before the first order; ample, so that no order has to be declined. */
export const opening = {
  customers: Array.from({ length: 24 }, (_, index) => ({
    id: index + 1,
    name: `Customer ${index + 1}`,
    balanceCents: 100_000_000_00,
  })),
  products: [
    { name: "Espresso beans, 1 kg", priceCents: 2490 },
    { name: "Filter beans, 1 kg", priceCents: 2190 },
    { name: "Decaf beans, 500 g", priceCents: 1390 },
    { name: "Hand grinder", priceCents: 7900 },
    { name: "Paper filters, 100", priceCents: 590 },
    { name: "Glass carafe", priceCents: 3450 },
    { name: "Kettle", priceCents: 8900 },
    { name: "Cup, double wall", priceCents: 1250 },
  ].map((product, index) => ({ id: index + 1, stock: 10_000_000, ...product })),
};

export async function openShop(database: Database): Promise<void> {
  await database.insert(customers).values(opening.customers);
  await database.insert(products).values(opening.products);
}
