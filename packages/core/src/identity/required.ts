import { configError } from "../errors.ts";
import { createSecret, isSecret, type Secret } from "../secret.ts";

/**
 * A value that an identity cannot do without.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when it is undefined or empty: a missing secret must not fall back to
 * another identity.
 */
export function requireSecret(value: unknown, option: string): Secret {
  const text = isSecret(value) ? value.reveal() : value;
  if (typeof text === "string" && text.trim() !== "") return createSecret(text.trim());
  throw configError([
    {
      option,
      message: `is ${value === undefined ? "undefined" : "empty or not a string"}; the environment never replaces it`,
    },
  ]);
}

/** A function that an identity is asked through. @throws LakebaseError `ERR_LAKEBASE_CONFIG` */
export function requireFunction(value: unknown, option: string): void {
  if (typeof value === "function") return;
  throw configError([{ option, message: "must be a function that answers the current token" }]);
}
