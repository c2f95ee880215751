/**
 * The setting of a role that says: this role logs in with tokens, and as what kind of identity. A setting belongs to the
 * whole server and goes with the role, as the identity mapping of Lakebase does.
 */
export const IDENTITY_SETTING = "local_lakebase.identity";

// https://docs.databricks.com/aws/en/oltp/projects/postgres-roles: the function and the view of the real extension.
const script = `
CREATE FUNCTION databricks_create_role(role_name text, identity_type text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF upper(identity_type) NOT IN ('USER', 'SERVICE_PRINCIPAL', 'GROUP') THEN
    RAISE EXCEPTION 'identity type must be USER, SERVICE_PRINCIPAL or GROUP, not "%"', identity_type
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('CREATE ROLE %I LOGIN', role_name);
  EXECUTE format('ALTER ROLE %I SET ${IDENTITY_SETTING} = %L', role_name, upper(identity_type));
END
$body$;
REVOKE EXECUTE ON FUNCTION databricks_create_role(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION databricks_create_role(text, text) TO databricks_superuser;

CREATE VIEW databricks_list_roles AS
  SELECT rolname::text AS role_name, lower(split_part(setting, '=', 2)) AS identity_type
  FROM pg_catalog.pg_roles, unnest(rolconfig) AS setting
  WHERE setting LIKE '${IDENTITY_SETTING}=%';
GRANT SELECT ON databricks_list_roles TO PUBLIC;
`;

/** The files of the extension, by name. */
export const databricksAuthExtension: Record<string, string> = {
  "databricks_auth.control": `comment = 'roles for Databricks identities (local Lakebase)'
default_version = '1.0'
superuser = true
trusted = true
relocatable = false
schema = public
`,
  "databricks_auth--1.0.sql": script,
};

/** Creates the extension's objects, by name where the server knows it. */
export function installDatabricksAuth(hasExtension: boolean): string {
  // Objects left by an earlier run on the same server may stay: their text has not changed.
  return hasExtension
    ? "CREATE EXTENSION IF NOT EXISTS databricks_auth"
    : script
        .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        .replace("CREATE VIEW", "CREATE OR REPLACE VIEW")
        .replaceAll(/databricks_(create_role|list_roles)(?=[ (])/g, "public.databricks_$1");
}
