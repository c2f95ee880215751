import { type ConnectionStringFields, parseConnectionString } from "../connection-string.ts";
import { type ConfigProblem, configError, type LakebaseErrorCode } from "../errors.ts";
import type { LakebaseOptions } from "../options.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What is set in an environment, trimmed. A function, so that no look at a handle shows what it holds. */
export type EnvironmentVariables = (name: string) => string | undefined;

export function variablesOf(environment: Environment): EnvironmentVariables {
  return (name) => `${environment[name] ?? ""}`.trim() || undefined;
}

/** A value and where it came from, so that every message can name the place to mend. */
export interface Found {
  readonly value: string;
  readonly option: string;
  readonly variable?: string;
}

/** For an option that a connection string contradicts. */
export const clash = "is also in `connectionString`; give it once";

/** Reads options and environment, and gathers what is wrong with them for one error. */
export class ConfigReader {
  readonly options: LakebaseOptions;
  readonly environment: Environment;
  /** The parts of the connection string, which count as options. */
  readonly url: ConnectionStringFields;
  readonly #problems: ConfigProblem[] = [];
  readonly #codes = new Set<LakebaseErrorCode>();

  constructor(options: LakebaseOptions, environment: Environment) {
    this.options = options;
    this.environment = environment;
    const text = this.option("connectionString");
    const { fields, problems } = text ? parseConnectionString(text.value) : { fields: {}, problems: [] };
    this.url = fields;
    for (const { option, message } of problems) this.problem(option, message);
  }

  problem(option: string, message: string, variable?: string, code: LakebaseErrorCode = "ERR_LAKEBASE_CONFIG"): void {
    this.#codes.add(code);
    this.#problems.push(variable === undefined ? { option, message } : { option, message, variable });
  }

  wrong({ option, variable }: Found, message: string, code?: LakebaseErrorCode): void {
    this.problem(option, message, variable, code);
  }

  wholeNumber(option: string, value: unknown, least: number, most: number): void {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
    this.problem(option, `must be a whole number from ${least} to ${most}`);
  }

  /** What is given, if it is given, is a function. */
  function(option: string, value: unknown): void {
    if (value !== undefined && typeof value !== "function") this.problem(option, "must be a function");
  }

  /** @throws LakebaseError with every problem; its code is theirs if they agree. */
  throwProblems(): void {
    const [code, second] = this.#codes;
    if (code) throw configError(this.#problems, second ? "ERR_LAKEBASE_CONFIG" : code);
  }

  /** Whether any of these options was given. */
  given(keys: readonly (keyof LakebaseOptions)[]): boolean {
    return keys.some((key) => this.options[key] !== undefined);
  }

  /** An option that is a string, trimmed. */
  option(option: keyof LakebaseOptions): Found | undefined {
    const value: unknown = this.options[option];
    if (value === undefined) return undefined;
    if (typeof value === "string" && value.trim() !== "") return { value: value.trim(), option };
    this.problem(option, "must be a string that is not empty");
    return undefined;
  }

  /** An option that the connection string may hold as well. */
  optionOrUrl(option: keyof LakebaseOptions & keyof ConnectionStringFields): Found | undefined {
    const value = this.options[option];
    // Any port is text here, so that a wrong one is told what it must be.
    const own = option === "port" && value !== undefined ? { value: String(value), option } : this.option(option);
    const part = this.url[option];
    if (part === undefined) return own;
    const differs = option === "host" ? own?.value.toLowerCase() !== part.toLowerCase() : own?.value !== part;
    if (own && differs) this.problem(option, clash);
    return { value: part, option: `connectionString (${option})` };
  }

  /** A variable that is set, trimmed. */
  variable(name: string, option: string): Found | undefined {
    const value = variablesOf(this.environment)(name);
    return value ? { value, option, variable: name } : undefined;
  }
}
