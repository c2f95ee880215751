import { configError } from "../errors.ts";
import { createSecret, isSecret, type Secret } from "../secret.ts";

/**
 * A value that an identity cannot do without.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when it is undefined or empty: a missing secret must not fall back to
 * another identity.
 */
export function requireSecret(value: unknown, option: string): Secret {
  if (isSecret(value)) return value;
  if (typeof value === "string" && value.trim() !== "") return createSecret(value.trim());
  throw configError([
    {
      option,
      message: `is ${value === undefined ? "undefined" : "empty or not a string"}; where does it come from, and is that set? It is never replaced by the environment`,
    },
  ]);
}
