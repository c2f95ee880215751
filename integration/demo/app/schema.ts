import { relations, sql } from "drizzle-orm";
import { bigint, check, index, integer, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";

export const customers = pgTable(
  "customers",
  {
    id: integer().primaryKey(),
    name: text().notNull(),
    balanceCents: bigint("balance_cents", { mode: "number" }).notNull(),
  },
  (table) => [check("customers_balance_not_negative", sql`${table.balanceCents} >= 0`)],
);

export const products = pgTable(
  "products",
  {
    id: integer().primaryKey(),
    name: text().notNull(),
    priceCents: integer("price_cents").notNull(),
    stock: integer().notNull(),
  },
  (table) => [check("products_stock_not_negative", sql`${table.stock} >= 0`)],
);

export const orders = pgTable(
  "orders",
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    customerId: integer("customer_id")
      .notNull()
      .references(() => customers.id),
    // Who took the order, and as the how-manieth. A real service would make the pair unique, so that an order cannot be
    // written twice; here it must be possible, or "doubled orders: 0" would prove nothing.
    worker: integer().notNull(),
    number: integer().notNull(),
    /** The library at whose counter it was. */
    takenBy: text("taken_by").notNull(),
    totalCents: bigint("total_cents", { mode: "number" }).notNull(),
    placedAt: timestamp("placed_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index("orders_customer_id").on(table.customerId)],
);

export const orderLines = pgTable(
  "order_lines",
  {
    orderId: integer("order_id")
      .notNull()
      .references(() => orders.id),
    productId: integer("product_id")
      .notNull()
      .references(() => products.id),
    quantity: integer().notNull(),
    priceCents: integer("price_cents").notNull(),
  },
  (table) => [primaryKey({ columns: [table.orderId, table.productId] })],
);

export const customerRelations = relations(customers, ({ many }) => ({
  orders: many(orders),
}));

export const orderRelations = relations(orders, ({ one, many }) => ({
  customer: one(customers, { fields: [orders.customerId], references: [customers.id] }),
  lines: many(orderLines),
}));

export const orderLineRelations = relations(orderLines, ({ one }) => ({
  order: one(orders, { fields: [orderLines.orderId], references: [orders.id] }),
  product: one(products, { fields: [orderLines.productId], references: [products.id] }),
}));
