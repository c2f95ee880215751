import { openControlSession } from "./control.ts";
import type { PostgresServer } from "./server.ts";

/** A server that somebody else runs, reached by the URL of a superuser. Nothing is started and nothing stopped. */
export async function useExistingServer(text: string): Promise<PostgresServer> {
  const url = parseUrl(text);
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname);
  const port = Number(url.port || 5432);
  const superuser = {
    user: decodeURIComponent(url.username) || "postgres",
    password: decodeURIComponent(url.password),
  };
  const maintenanceDatabase = decodeURIComponent(url.pathname.slice(1)) || "postgres";
  const address = host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };

  const session = await openControlSession(address, { ...superuser, database: maintenanceDatabase }).catch((error) => {
    throw new Error(`LAKEBASE_TEST_PG_URL: no login at ${host}:${port}: ${error.message}`, { cause: error });
  });
  const [row] = await session.query(
    "SELECT current_setting('server_version'), usesuper FROM pg_user WHERE usename = current_user",
  );
  session.close();
  const [version = "", isSuperuser] = row ?? [];
  if (isSuperuser !== "t") throw new Error(`LAKEBASE_TEST_PG_URL: "${superuser.user}" is not a superuser`);

  return {
    description: `Postgres ${version} (existing server at ${host}:${port})`,
    major: Number.parseInt(version ?? "", 10),
    address,
    replica: undefined,
    superuser,
    maintenanceDatabase,
    url(database) {
      const own = new URL(url);
      own.pathname = `/${database}`;
      return own.href;
    },
    hasDatabricksAuth: false,
    isOurs: false,
    stop: async () => {},
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (/^postgres(ql)?:$/.test(url.protocol)) return url;
  } catch {
    // Said below, without the text: it may hold a password.
  }
  throw new Error("LAKEBASE_TEST_PG_URL is not a postgresql:// URL");
}
