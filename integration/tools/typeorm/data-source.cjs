const { lakebaseDataSourceOptions } = require("@x/lakebase-typeorm");
const { DataSource, EntitySchema } = require("typeorm");

const products = new EntitySchema({
  name: "product",
  tableName: "products",
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: "text" } },
});

module.exports = new DataSource({
  ...lakebaseDataSourceOptions({ applicationName: { isv: "acme", product: "shop-migrations" } }),
  entities: [products],
  migrations: [`${process.env.MIGRATIONS}/*.js`],
});
