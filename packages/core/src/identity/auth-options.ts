import { type ConfigProblem, configError } from "../errors.ts";
import { refuseUnknownOptions } from "./known-options.ts";

/**
 * Checks the options of an identity that has no secret, all of which are text.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` for an option that there is not, and for one that is set to nothing: it must
 * not fall back to another identity.
 */
export function checkTexts(factory: string, options: object, keys: readonly string[]): void {
  refuseUnknownOptions(factory, options, keys);
  const problems: ConfigProblem[] = Object.entries(options)
    .filter(([, value]) => value !== undefined && !(typeof value === "string" && value.trim()))
    .map(([name]) => ({ option: `auth: ${factory}.${name}`, message: "must be a string that is not empty" }));
  if (problems.length > 0) throw configError(problems);
}
