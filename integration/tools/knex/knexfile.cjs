const { lakebaseKnexConfig } = require("@x/lakebase-knex");

// A function, as Knex takes one too.
module.exports = async () => ({
  ...lakebaseKnexConfig({ applicationName: { isv: "acme", product: "shop-commonjs" } }),
  migrations: { directory: "./migrations" },
  seeds: { directory: "./seeds" },
});
