import type { LakebaseOptions } from "@x/lakebase-core";
import { type LakebasePool, lakebasePool } from "@x/lakebase-core/pg";
import type { LocalLakebase } from "@x/lakebase-local";
import type { World } from "../contract/world.ts";

/** How one way to name a database is tried: with what stands in the environment, and what is given. */
export interface Attempt {
  /** Beside what finds the local Lakebase: who asks, the address, the certificates. */
  readonly variables?: Record<string, string>;
  readonly options?: LakebaseOptions;
}

/** Of the complete environment: who asks, where, and with whose certificates; nothing that names a database. */
export function surroundings(local: LocalLakebase): Record<string, string> {
  const { LAKEBASE_ENDPOINT, PGHOST, PGHOSTADDR, PGPORT, PGUSER, ...rest } = local.env;
  return rest;
}

/** The address of the local Lakebase, which is in no DNS; an option of the target's group, so it is one or the other. */
export function address({ hostAddress, port }: LocalLakebase) {
  return { options: { hostAddress, port }, variables: { PGHOSTADDR: hostAddress, PGPORT: String(port) } };
}

/** Opens a pool, uses it and says at which host and as whom; the pool ends with the test. */
export function trying(world: World) {
  const pool = ({ variables, options = {} }: Attempt, more: { max?: number } = {}): LakebasePool => {
    const { local } = world;
    const env = { ...surroundings(local), ...(variables ? { ...address(local).variables, ...variables } : {}) };
    const given = variables ? options : { ...address(local).options, ...options };
    return lakebasePool({ env, clock: local.clock, ...given, ...more });
  };
  return {
    pool,
    /** What was asked of the workspace besides its own token. */
    asked: () =>
      world
        .requests()
        .map(({ operation }) => operation)
        .filter((operation) => operation !== "discovery" && operation !== "token"),
    /** One login and a question; where it arrived. */
    async use(attempt: Attempt) {
      await using own = pool(attempt, { max: 1 });
      const { rows } = await own.query("select current_user::text as user, pg_is_in_recovery() as replica");
      return { host: world.logins().at(-1)?.host, ...rows[0] } as { host?: string; user: string; replica: boolean };
    },
  };
}
