import { resolveConfig } from "../config.ts";
import type { LakebaseOptions } from "../options.ts";
import type { AuthExplanation } from "./explanation.ts";

/**
 * Tells which identity a handle with these options would use, and why: every one that was looked for, in order, with what
 * was found or missing; the workspace and where its name stands; the user, as far as it is known without asking. Nobody is
 * asked for a token, except that a program which may be signed in (the CLIs) is run to find out whether it is. Holds no
 * secret: print it, or put it into a bug report.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the options are contradictory or malformed. What is merely missing
 * stands in `error`.
 * @example
 * ```ts
 * import { explainAuth } from "@x/lakebase-core";
 *
 * console.log(String(await explainAuth()));
 * ```
 */
export async function explainAuth(options: LakebaseOptions = {}): Promise<AuthExplanation> {
  return (await import("./explanation.ts")).explain(resolveConfig(options));
}
