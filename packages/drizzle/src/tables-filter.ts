/**
 * For `tablesFilter` in the configuration of drizzle-kit: everything but what Databricks keeps in the schema `public` of a
 * Lakebase (the views of `databricks_auth`) and what `pg_stat_statements` adds to it. Without it, `drizzle-kit push` tries
 * to drop them and `drizzle-kit pull` takes them for yours. Negations only, so leave it out where you name your own
 * tables: drizzle-kit lets pass what any pattern lets pass.
 *
 * @example
 * ```ts
 * import { lakebaseTablesFilter } from "@x/lakebase-drizzle";
 * import { defineConfig } from "drizzle-kit";
 *
 * export default defineConfig({
 *   dialect: "postgresql",
 *   schema: "./schema.ts",
 *   dbCredentials: { url: process.env.DATABASE_URL ?? "" },
 *   tablesFilter: lakebaseTablesFilter,
 * });
 * ```
 */
export const lakebaseTablesFilter: string[] = ["!databricks_*", "!pg_stat_statements", "!pg_stat_statements_info"];
