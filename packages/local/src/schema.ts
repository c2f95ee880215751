import { type ControlSession, quoteIdentifier } from "./postgres/control.ts";
import { installDatabricksAuth } from "./postgres/databricks-auth.ts";

export const DATABASE = "databricks_postgres";

/** The role that owns a project's rights without being a superuser. */
export const PRIVILEGED_ROLE = "databricks_superuser";

// Roles that every Lakebase has and that detection may look for.
const platformRoles = [PRIVILEGED_ROLE, "databricks_control_plane", "databricks_monitor", "databricks_gateway"];

/** On the whole server: roles and the database. */
export async function prepareServer(control: ControlSession, options: { disguised: boolean }) {
  const existing = await control.query(
    "SELECT rolname FROM pg_roles UNION ALL SELECT 'database ' || datname FROM pg_database",
  );
  const names = new Set(existing.flat());
  if (!names.has(`database ${DATABASE}`)) await control.query(`CREATE DATABASE ${DATABASE}`);
  if (!options.disguised) return;
  const missing = platformRoles.filter((role) => !names.has(role));
  await control.query(
    [
      ...missing.map((role) => `CREATE ROLE ${role} NOLOGIN`),
      `GRANT pg_read_all_data, pg_write_all_data, pg_monitor TO ${PRIVILEGED_ROLE}`,
      `GRANT ALL ON DATABASE ${DATABASE} TO ${PRIVILEGED_ROLE}`,
    ].join(";"),
  );
}

/** In the database itself. */
export async function prepareDatabase(
  control: ControlSession,
  options: { disguised: boolean; hasDatabricksAuth: boolean; isOurs: boolean },
) {
  // Cheap hashes for the passwords that the front makes up: they are random and as long as a key. Known since Postgres 16.
  await control.query("SELECT set_config(name, '1', false) FROM pg_settings WHERE name = 'scram_iterations'");
  if (!options.disguised) return;
  await control.query(
    [
      `GRANT CREATE, USAGE ON SCHEMA public TO ${quoteIdentifier(PRIVILEGED_ROLE)}`,
      "CREATE SCHEMA IF NOT EXISTS __db_system AUTHORIZATION databricks_control_plane",
      "CREATE SCHEMA IF NOT EXISTS neon",
      installDatabricksAuth(options.hasDatabricksAuth),
      // A server of our own has it in its configuration file.
      ...(options.isOurs ? [] : [`ALTER DATABASE ${DATABASE} SET neon.lakebase_mode = 'on'`]),
    ].join(";"),
  );
}
