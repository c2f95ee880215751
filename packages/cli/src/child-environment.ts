import type { ConnectionSettings } from "@x/lakebase-core";
import { connectionUrl } from "./connection-url.ts";
import { type Environment, namesTarget } from "./options.ts";
import type { RootCertificates } from "./root-certificates.ts";

/** What would lead a command elsewhere than our variables do, or there without verified TLS. */
const contradicting = [
  // Of libpq. A service file goes before variables.
  "PGSERVICE",
  "PGREQUIRESSL",
  // Of postgres.js, which reads it before PGUSER.
  "PGUSERNAME",
  // Of Node.
  "NODE_TLS_REJECT_UNAUTHORIZED",
];

/** The environment of a command: what we were started with, and all that its driver needs. */
export function childEnvironment(
  env: Environment,
  settings: ConnectionSettings,
  roots: RootCertificates,
): Record<string, string> {
  const { target } = settings;
  // A host alone was looked up. Said here, it is not looked up again, and the token is not taken for a native password.
  const found =
    target === undefined || namesTarget(env)
      ? {}
      : { [target.includes("/") ? "LAKEBASE_ENDPOINT" : "LAKEBASE_INSTANCE_NAME"]: target };
  const own = {
    PGHOST: settings.host,
    PGHOSTADDR: settings.hostAddress,
    PGPORT: String(settings.port),
    PGUSER: settings.user,
    PGDATABASE: settings.database,
    PGPASSWORD: settings.password.reveal(),
    PGAPPNAME: settings.applicationName,
    PGOPTIONS: settings.options,
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: roots.file,
    // libpq tries Kerberos before TLS where there is a ticket, and would not ask for a certificate then.
    PGGSSENCMODE: "disable",
    // What postgres.js reads in place of PGSSLMODE.
    PGSSL: "verify-full",
    DATABASE_URL: connectionUrl(settings),
    NODE_EXTRA_CA_CERTS: roots.extraFile,
  };
  const merged = { ...env, ...Object.fromEntries(contradicting.map((name) => [name, undefined])), ...found, ...own };
  return Object.fromEntries(
    Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
