import type { ResolvedScope } from "./config/scope.ts";
import { type ConfigProblem, configError, type LakebaseError } from "./errors.ts";
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

/** What is wrong with options, by their names; nothing where there is no message. For authors of adapters. */
export type Verdicts = Readonly<Record<string, string | false | undefined>>;

/** What an adapter has to say about options; for authors of adapters. */
export interface AdapterWords {
  /** About options that are none here, such as those that have another name. */
  readonly hints?: Readonly<Record<string, string>> | undefined;
  /** About any other that is none. */
  readonly otherwise?: string | undefined;
  /** About what it has looked at itself. */
  readonly verdicts?: Verdicts | undefined;
  /** The name that the host has for an option. */
  readonly name?: ((option: string) => string) | undefined;
}

/** How a driver words its own options. */
export interface DriverWords extends AdapterWords {
  /** Those that stand beside ours. */
  readonly keys: readonly string[];
  /** Its option for the longest life of a connection, in seconds. */
  readonly lifetime: string;
}

/** For {@link AdapterWords.hints}. */
export const give = (option: string) => `is set by this library; give \`${option}\``;

/** Lakebase ends any session after three days; a pool that keeps one longer would lose it in use. */
const maxLifetimeLimitSeconds = 216_000;

export interface SplitOptions<Driver> {
  readonly lakebase: Lakebase | undefined;
  readonly handle: LakebaseOptions;
  readonly scope: PoolScope;
  readonly driver: Driver;
  readonly words: AdapterWords;
  /** What is wrong so far: {@link bindOptions} tells it with all else. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * Tells our options from the driver's.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when they are none at all.
 */
export function splitOptions<Driver extends object>(
  options: HandleOptions & Driver,
  words: DriverWords,
): SplitOptions<Driver> {
  const hints = { ...words.hints, sslmode: alwaysVerified, rejectUnauthorized: alwaysVerified };
  const known = ["lakebase", ...lakebaseOptionKeys, ...words.keys];
  const unknown = unknownOptionProblems(options, known, hints, words.otherwise);
  // Nothing to take options from, null for example.
  if (Object(options) !== options || Array.isArray(options)) throw configError(unknown);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const pick = (keys: readonly string[]) => Object.fromEntries(given.filter(([key]) => keys.includes(key)));
  const { lakebase, ...own } = Object.fromEntries(given);
  const lifetime = own[words.lifetime] ?? 0;
  const max = own.max ?? 10;
  const min = own.min ?? 0;
  const verdicts: Record<string, string | false> = {
    [words.lifetime]:
      !(Number.isFinite(lifetime) && lifetime >= 0 && lifetime <= maxLifetimeLimitSeconds) &&
      `must be from 0 to ${maxLifetimeLimitSeconds}`,
    max: isBelow(1, max),
    min: isBelow(0, min) || (min > max && "must not exceed `max`"),
  };
  if (lakebase !== undefined) {
    for (const [option] of given) {
      if (lakebaseOptionKeys.includes(option) && !poolScopeKeys.includes(option)) {
        verdicts[option] = "is for createLakebase()";
      }
    }
  }
  return {
    lakebase,
    handle: pick(lakebaseOptionKeys),
    scope: pick(poolScopeKeys),
    driver: pick(words.keys) as Driver,
    words,
    problems: [...problemsOf(words.verdicts ?? {}), ...unknown, ...problemsOf(verdicts)],
  };
}

function isBelow(least: number, value: number): string | false {
  return !(Number.isInteger(value) && value >= least) && `must be a whole number from ${least}`;
}

function problemsOf(verdicts: Verdicts): ConfigProblem[] {
  return Object.entries(verdicts).flatMap(([option, message]) => (message ? [{ option, message }] : []));
}

/**
 * For what an adapter can look at only later.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every option with a message.
 */
export function refuseOptions(verdicts: Verdicts): void {
  const problems = problemsOf(verdicts);
  if (problems.length > 0) throw configError(problems);
}

/**
 * Takes a host's own options out of ours; for authors of adapters.
 *
 * @returns both. What is no object at all, a URL say, is given back whole, for the error that says so.
 */
export function takeOut<Own extends object, Ours extends object>(
  options: Own & Ours,
  ...keys: (keyof Own & string)[]
): [own: Own, ours: Ours] {
  const own: Partial<Own> = {};
  const ours = { ...options };
  for (const key of keys) {
    own[key] = ours[key];
    delete ours[key];
  }
  return Object(options) === options && !Array.isArray(options) ? [own as Own, ours] : [{} as Own, options];
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
  { lakebase: given, handle: options, scope: own, words, problems }: SplitOptions<object>,
  adapter: string,
): BoundOptions {
  let found = problems;
  try {
    const lakebase = given ?? createHandle(options, adapter);
    const handle = internalsOf(lakebase);
    const scope = handle.scope(own);
    const applicationName = scope.applicationName ?? handle.defaultName(adapter);
    if (found.length === 0) {
      return { lakebase, ownsLakebase: given === undefined, handle, scope: { ...scope, applicationName } };
    }
  } catch (error) {
    const { problems: others } = error as LakebaseError;
    if (!others || (found.length === 0 && !words.name)) throw error;
    found = [...found, ...others];
  }
  throw configError(found.map((problem) => ({ ...problem, option: words.name?.(problem.option) ?? problem.option })));
}

/** Up to 10 % more or less, so that connections made together do not all end together. 0 means no limit and stays 0. */
export function spread(seconds: number): number {
  return seconds * (0.9 + 0.2 * Math.random());
}
