import type { LakebaseError, LakebaseErrorCode } from "./errors.ts";

/**
 * Whether an error was raised by this library, whichever copy of it.
 *
 * @param code Narrow the question to one code.
 */
export function isLakebaseError(error: unknown, code?: LakebaseErrorCode): error is LakebaseError {
  if (typeof error !== "object" || error === null || !("code" in error)) return false;
  const actual = error.code;
  return typeof actual === "string" && actual.startsWith("ERR_LAKEBASE_") && (code === undefined || actual === code);
}

/** An AggregateError may hold thousands, and a chain may be a circle. */
const longestChain = 32;

/**
 * An error and everything that it wraps, outermost first. ORMs hide the driver's error in `cause` (Drizzle, TypeORM),
 * `parent` and `original` (Sequelize), `driverError` (TypeORM), `meta.driverAdapterError` (Prisma) or `errors` (Node's
 * AggregateError).
 */
export function errorChain(error: unknown): object[] {
  const chain: object[] = [];
  const queue: unknown[] = [error];
  while (queue.length > 0 && chain.length < longestChain) {
    const current = queue.shift();
    if (typeof current !== "object" || current === null || chain.includes(current)) continue;
    chain.push(current);
    const links = current as Record<string, unknown>;
    const { driverAdapterError } = Object(links.meta) as { driverAdapterError?: unknown };
    queue.push(links.cause, links.parent, links.original, links.driverError, driverAdapterError);
    if (Array.isArray(links.errors)) queue.push(...links.errors.slice(0, longestChain));
  }
  return chain;
}

/**
 * The {@link LakebaseError} inside an error of an ORM, if there is one.
 *
 * @example
 * ```ts
 * import { findLakebaseError } from "@x/lakebase-core";
 *
 * export const explain = (error: unknown) => findLakebaseError(error)?.code ?? "not ours";
 * ```
 */
export function findLakebaseError(error: unknown): LakebaseError | undefined {
  return errorChain(error).find((link) => isLakebaseError(link)) as LakebaseError | undefined;
}

/** The string `code` of an error or of what it wraps: an SQLSTATE, `ECONNREFUSED`, `ERR_LAKEBASE_…`. */
export function errorCode(error: unknown): string | undefined {
  for (const link of errorChain(error)) {
    const code = (link as { code?: unknown }).code;
    if (typeof code === "string" && code !== "") return code;
  }
  return undefined;
}
