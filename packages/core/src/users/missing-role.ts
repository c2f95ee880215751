import { LakebaseError } from "../errors.ts";

/** In which words each product refuses a good token that has no role. Other tokens are refused in the same words. */
const withoutRole =
  /^(?:XX000 password authentication failed for user|28P01 (?:password authentication failed|Failed to decode token for role))/;

/** Service principals log in by their application id. */
const applicationId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * What a refused login means for a user whom the workspace has just named: the token is fresh and the name is right, so it
 * is the role that is not there. Lakebase has no word of its own for it.
 */
export function explainRefusal(user: string, cause: unknown): LakebaseError | undefined {
  const { code, message } = Object(cause) as { code?: unknown; message?: unknown };
  if (!withoutRole.test(`${code} ${message}`)) return undefined;
  const name = `'${user.replaceAll("'", "''")}'`;
  const kind = applicationId.test(user) ? "SERVICE_PRINCIPAL" : "USER";
  return new LakebaseError(
    "ERR_LAKEBASE_MISSING_ROLE",
    `Postgres refused a token that was just minted for ${user}: there is no role of this name that belongs to the identity. As an owner of the database: CREATE EXTENSION IF NOT EXISTS databricks_auth; SELECT databricks_create_role(${name}, '${kind}'); and then the GRANTs. A role that CREATE ROLE has made is not enough: drop it first`,
    { cause },
  );
}
