import { LakebaseDialect } from "@x/lakebase-kysely";
import { defineConfig } from "kysely-ctl";

// Target and identity are in the environment.
export default defineConfig({
  dialect: new LakebaseDialect({ applicationName: { isv: "acme", product: "shop-migrations" } }),
  migrations: { migrationFolder: "migrations" },
});
