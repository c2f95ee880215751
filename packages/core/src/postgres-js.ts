export type { HandleOptions, OnLakebase } from "./driver-options.ts";
export type { CustomTypes, PostgresJsOptions } from "./postgres-js/driver-options.ts";
export { type LakebasePostgresOptions, lakebasePostgres } from "./postgres-js/lakebase-postgres.ts";
