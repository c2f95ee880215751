import type { ResolvedScope } from "./config/scope.ts";
import { type ConfigProblem, configError } from "./errors.ts";
import { createHandle, type HandleInternals, internalsOf, type Lakebase } from "./lakebase.ts";
import {
  alwaysVerified,
  type LakebaseOptions,
  lakebaseOptionKeys,
  type PoolScope,
  poolScopeKeys,
  unknownOptionProblems,
} from "./options.ts";

/** A handle that you made, and what this pool has for itself; target and identity belong to the handle. */
export type OnLakebase = { lakebase: Lakebase } & PoolScope & {
    [Key in Exclude<keyof LakebaseOptions, keyof PoolScope>]?: never;
  };

/** The options that name a handle, or make one. */
export type HandleOptions = (LakebaseOptions & { lakebase?: never }) | OnLakebase;

/** How a driver words its own options. */
export interface DriverWords {
  /** Those that stand beside ours. */
  readonly keys: readonly string[];
  /** What we set, or what has another name here: refused, because dropping it in silence would be worse. */
  readonly hints: Readonly<Record<string, string>>;
  /** Its option for the longest life of a connection, in seconds. */
  readonly lifetime: string;
}

/** For {@link DriverWords.hints}. */
export const give = (option: string) => `is set by this library; give \`${option}\``;

/** Lakebase ends any session after three days; a pool that keeps one longer would lose it in use. */
const maxLifetimeLimitSeconds = 216_000;

export interface SplitOptions<Driver> {
  readonly lakebase: Lakebase | undefined;
  readonly handle: LakebaseOptions;
  readonly scope: PoolScope;
  readonly driver: Driver;
}

/**
 * Tells our options from the driver's.
 *
 * @param check Adds problems that only this driver can have.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` for an option that is unknown, ours to set, or the handle's.
 */
export function splitOptions<Driver extends object>(
  options: HandleOptions & Driver,
  words: DriverWords,
  check?: (options: Driver, problems: ConfigProblem[]) => void,
): SplitOptions<Driver> {
  const hints = { ...words.hints, sslmode: alwaysVerified, rejectUnauthorized: alwaysVerified };
  const problems: ConfigProblem[] = unknownOptionProblems(
    options,
    ["lakebase", ...lakebaseOptionKeys, ...words.keys],
    hints,
  );
  // Nothing to take options from, null for example.
  if (Object(options) !== options) throw configError(problems);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  if (options.lakebase !== undefined) {
    for (const [option] of given) {
      if (lakebaseOptionKeys.includes(option) && !poolScopeKeys.includes(option)) {
        problems.push({ option, message: "is for createLakebase()" });
      }
    }
  }
  const own = Object.fromEntries(given);
  const lifetime = own[words.lifetime] ?? 0;
  if (!(Number.isFinite(lifetime) && lifetime >= 0 && lifetime <= maxLifetimeLimitSeconds)) {
    problems.push({ option: words.lifetime, message: `must be from 0 to ${maxLifetimeLimitSeconds}` });
  }
  for (const [option, least] of [
    ["max", 1],
    ["min", 0],
  ] as const) {
    const value = own[option] ?? least;
    if (!(Number.isInteger(value) && value >= least)) {
      problems.push({ option, message: `must be a whole number from ${least}` });
    }
  }
  if (own.min > (own.max ?? 10)) problems.push({ option: "min", message: "must not exceed `max`" });
  check?.(options, problems);
  if (problems.length > 0) throw configError(problems);

  const pick = (keys: readonly string[]) => Object.fromEntries(given.filter(([key]) => keys.includes(key)));
  return {
    lakebase: options.lakebase,
    handle: pick(lakebaseOptionKeys),
    scope: pick(poolScopeKeys),
    driver: pick(words.keys) as Driver,
  };
}

/** A handle, given or made, and the scope of one pool on it. */
export interface BoundOptions {
  readonly lakebase: Lakebase;
  readonly ownsLakebase: boolean;
  readonly handle: HandleInternals;
  readonly scope: ResolvedScope & { readonly applicationName: string };
}

/** @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem of the options. */
export function bindOptions(
  { lakebase: given, handle: options, scope: own }: SplitOptions<object>,
  adapter: string,
): BoundOptions {
  const lakebase = given ?? createHandle(options, adapter);
  const handle = internalsOf(lakebase);
  const scope = handle.scope(own);
  const applicationName = scope.applicationName ?? handle.defaultName(adapter);
  return { lakebase, ownsLakebase: given === undefined, handle, scope: { ...scope, applicationName } };
}

/** Up to 10 % more or less, so that connections made together do not all end together. 0 means no limit and stays 0. */
export function spread(seconds: number): number {
  return seconds * (0.9 + 0.2 * Math.random());
}
