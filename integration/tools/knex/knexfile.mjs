import { lakebaseKnexConfig } from "@x/lakebase-knex";

// One for each of Knex's environments.
export default {
  production: {
    ...lakebaseKnexConfig({ applicationName: { isv: "acme", product: "shop-module" } }),
    migrations: { directory: "./migrations", tableName: "shop_migrations" },
    seeds: { directory: "./seeds" },
  },
};
