import { lakebaseKnexConfig } from "@x/lakebase-knex";
import type { Knex } from "knex";

const config: Knex.Config = {
  ...lakebaseKnexConfig({ applicationName: { isv: "acme", product: "shop-typescript" } }),
  migrations: { directory: "./migrations" },
  seeds: { directory: "./seeds" },
};

export default config;
