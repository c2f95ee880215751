import { lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
import { DataSource, EntitySchema } from "typeorm";

const products = new EntitySchema<{ id: number; name: string }>({
  name: "product",
  tableName: "products",
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: "text" } },
});

export default new DataSource({
  ...lakebaseDataSourceOptions({ applicationName: { isv: "acme", product: "shop-migrations" } }),
  entities: [products],
  migrations: [`${process.env.MIGRATIONS}/*.js`],
});
