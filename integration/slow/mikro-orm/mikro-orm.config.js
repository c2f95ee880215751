import { Migrator } from "@mikro-orm/migrations";
import { defineConfig, defineEntity, p } from "@mikro-orm/postgresql";
import { lakebasePoolConfig } from "@x/lakebase-core/pg";

const Book = defineEntity({ name: "Book", tableName: "books", properties: { id: p.integer().primary() } });

export default defineConfig({
  dbName: "databricks_postgres",
  driverOptions: lakebasePoolConfig({ applicationName: { isv: "acme", product: "shop" } }, "mikro-orm"),
  entities: [Book],
  extensions: [Migrator],
  migrations: { path: "migrations" },
});
