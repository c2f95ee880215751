import {
  DEFAULT_MAJOR,
  findEmbedded,
  findSystem,
  installCommand,
  type PostgresBinaries,
  type PostgresMajor,
} from "./binaries.ts";
import { startContainer } from "./container.ts";
import { useExistingServer } from "./existing-server.ts";
import { type PostgresServer, startServer } from "./server.ts";

const providers = ["url", "embedded", "system", "docker"] as const;
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

/**
 * A real Postgres from the first place that has one: a URL in the environment, binaries from npm, the machine's own, a
 * container. The last is slow to start, and an image may have to be fetched: an engine that is merely there changes nothing
 * for those who have another.
 */
export async function providePostgres(options: ProviderOptions): Promise<PostgresServer> {
  const { env, major = DEFAULT_MAJOR } = options;
  const url = env.LAKEBASE_TEST_PG_URL;
  const wanted = parseProvider(env.LAKEBASE_TEST_PROVIDER);
  if (wanted === "url" && !url) {
    throw new Error("LAKEBASE_TEST_PROVIDER is url, but LAKEBASE_TEST_PG_URL is not set");
  }
  if (url && (wanted === undefined || wanted === "url")) return useExistingServer(url);
  if (wanted === "docker") return startContainer({ ...options, major });
  const binaries = findBinaries(options, wanted);
  if (binaries) return startServer({ ...options, binaries });
  const notFound = (looked: string, cause?: unknown) =>
    new Error(
      `No Postgres ${major} was found (looked for: ${looked}). Add it with \`${installCommand(major)}\`, install Postgres ` +
        "on this machine, or set LAKEBASE_TEST_PG_URL to the URL of a superuser on a server that is running.",
      cause === undefined ? undefined : { cause },
    );
  if (wanted) throw notFound(wanted);
  return startContainer({ ...options, major }).catch((error) => {
    throw notFound(`npm binaries, /usr/lib/postgresql and PATH, a container: ${error.message}`, error);
  });
}

function findBinaries(
  { major, env, cwd }: ProviderOptions,
  wanted: Provider | undefined,
): PostgresBinaries | undefined {
  const embedded = wanted === "system" ? undefined : findEmbedded(major ?? DEFAULT_MAJOR, cwd);
  return embedded ?? (wanted === "embedded" ? undefined : findSystem(env.PATH, major));
}

function parseProvider(value: string | undefined): Provider | undefined {
  if (!value) return undefined;
  const provider = providers.find((name) => name === value);
  if (!provider) throw new Error(`LAKEBASE_TEST_PROVIDER must be one of ${providers.join(", ")}, not "${value}"`);
  return provider;
}
