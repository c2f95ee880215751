import { configError } from "../errors.ts";

/**
 * A name that is none of an identity's options is most often a typo, and what was meant would be dropped in silence.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every such name.
 */
export function refuseUnknownOptions(kind: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw configError(
    unknown.map((name) => ({
      option: `auth: ${kind}.${name}`,
      message: `is no option; there are ${known.join(", ")}`,
    })),
  );
}
