import type pg from "pg";
import type { ResolvedScope } from "../config/scope.ts";
import { type ConfigProblem, configError } from "../errors.ts";
import type { HandleInternals } from "../lakebase.ts";

/**
 * What a host that makes its own clients was told of the connection in its own words. It could not count, so it must not be
 * there: Prisma's shadow database, for one, would be the real one. What hosts name unasked is let through: Sequelize's
 * `localhost`, MikroORM's `postgres@127.0.0.1`.
 *
 * Said at the first login and not before: pools make their clients where an exception would find nobody.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem.
 */
export function refuseForeignOptions(given: pg.ClientConfig, { config }: HandleInternals, scope: ResolvedScope): void {
  const allowed: Record<string, readonly unknown[]> = {
    host: ["localhost", "127.0.0.1", config.host],
    port: [5432, config.port],
    user: ["postgres", config.identity.user],
    database: [scope.database],
    application_name: [scope.applicationName],
    connectionTimeoutMillis: [scope.connectTimeoutMs],
    password: [],
    connectionString: [],
    ssl: [],
    stream: [],
  };
  const problems: ConfigProblem[] = Object.entries(given).flatMap(([option, value]) =>
    !value || (allowed[option]?.includes(value) ?? true)
      ? []
      : {
          option,
          message: "is given to the host of this connection; it counts only among the options of this library",
        },
  );
  if (given.options && typeof given.options === "object") {
    // Of another copy of node-postgres, which does not know it for a pool. The startup packet would end the process.
    problems.push({
      option: "options",
      message: "is no text; was a pool given for options? Give lakebasePoolConfig(…)",
    });
  }
  if (problems.length > 0) throw configError(problems);
}
