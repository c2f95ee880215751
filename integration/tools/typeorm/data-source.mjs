import { lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
import { DataSource, EntitySchema } from "typeorm";

const products = new EntitySchema({
  name: "product",
  tableName: "products",
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: "text" } },
});

// A promise, as of an application that reads its configuration first.
export const dataSource = (async () =>
  new DataSource({
    ...lakebaseDataSourceOptions({ applicationName: { isv: "acme", product: "shop-migrations" } }),
    entities: [products],
    migrations: [`${process.env.MIGRATIONS}/*.js`],
  }))();
