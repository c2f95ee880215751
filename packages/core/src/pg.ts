export type { HandleOptions, OnLakebase, PgClientOptions, PgPoolOptions } from "./pg/driver-options.ts";
export { LakebaseClient, type LakebaseClientOptions } from "./pg/lakebase-client.ts";
export { LakebasePool, type LakebasePoolOptions, lakebasePool, lakebasePoolConfig } from "./pg/lakebase-pool.ts";
