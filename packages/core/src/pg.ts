export {
  type AdapterWords,
  type HandleOptions,
  type OnLakebase,
  refuseOptions,
  takeOut,
  type Verdicts,
} from "./driver-options.ts";
export { lakebaseOptionKeys } from "./options.ts";
export { type PgClientOptions, type PgPoolOptions, poolOptionKeys } from "./pg/driver-options.ts";
export { LakebaseClient, type LakebaseClientOptions } from "./pg/lakebase-client.ts";
export {
  LakebasePool,
  type LakebasePoolConfig,
  type LakebasePoolOptions,
  lakebasePool,
  lakebasePoolConfig,
  shareHandle,
} from "./pg/lakebase-pool.ts";
