import { randomBytes } from "node:crypto";
import type { StartedTestContainer } from "testcontainers";
import type { BackendAddress } from "./backend.ts";
import { configuration } from "./configuration.ts";
import { openControlSession } from "./control.ts";
import { databricksAuthExtension } from "./databricks-auth.ts";
import { probeEngine } from "./engine.ts";
import { preloadedModules, standIns } from "./installation.ts";
import { followPrimary } from "./replica.ts";
import type { PostgresServer } from "./server.ts";

const PORT = 5432;
const REPLICA_PORT = 5433;
/** Where the image has what extensions are made of. */
const extensions = "/usr/local/share/postgresql/extension";
const modules = "/tmp/local-lakebase/modules";
const replicaData = "/tmp/local-lakebase/replica";

export interface ContainerOptions {
  major: number;
  superuser: string;
  disguised: boolean;
  env: Record<string, string | undefined>;
}

/**
 * Postgres in a container, for machines that have no other and for those who want the same one everywhere. It is what
 * `startServer` starts, with three differences: the container's ports are open on the engine's host, whoever may enter the
 * container needs no password in it, and the reaper of testcontainers takes the container away when this process is killed.
 *
 * @throws Error when no engine answers, testcontainers cannot be loaded, or the image cannot be had
 */
export async function startContainer(options: ContainerOptions): Promise<PostgresServer> {
  const { major, superuser, disguised, env } = options;
  const probe = await probeEngine(env);
  if ("problem" in probe) throw new Error(probe.problem);
  const { GenericContainer, Wait } = await loadTestcontainers();

  const image = `postgres:${major}-alpine`;
  const password = randomBytes(18).toString("base64url");
  const credentials = { user: superuser, password, database: "postgres" };
  const container = await new GenericContainer(image)
    .withEnvironment({
      POSTGRES_USER: superuser,
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: credentials.database,
      POSTGRES_INITDB_ARGS: "--encoding=UTF8 --locale=C --no-sync",
    })
    .withCopyContentToContainer(files({ disguised }))
    .withExposedPorts(PORT, REPLICA_PORT)
    // The first time is for the scripts that prepare the data.
    .withWaitStrategy(Wait.forLogMessage("database system is ready to accept connections", 2))
    .start()
    .catch((error: Error) => {
      throw new Error(`${image} could not be started by the Docker engine at ${probe.engine}: ${error.message}`, {
        cause: error,
      });
    });
  const stop = async () => void (await container.stop({ timeout: 0 }));
  try {
    const address = addressOf(container, PORT);
    const session = await openControlSession(address, credentials);
    const [row] = await session.query("SHOW server_version").finally(session.close);
    let replica: Promise<BackendAddress> | undefined;
    return {
      description: `Postgres ${row?.[0]} (container of ${image})`,
      major,
      address,
      replica: () => {
        replica ??= startReplica(container, address, credentials);
        return replica;
      },
      superuser: credentials,
      maintenanceDatabase: credentials.database,
      url: (name) => `postgresql://${superuser}:${password}@${address.host}:${address.port}/${name}`,
      hasDatabricksAuth: disguised,
      isOurs: true,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function loadTestcontainers() {
  try {
    return await import("testcontainers");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(
      code === "ERR_MODULE_NOT_FOUND"
        ? "testcontainers is not installed: `npm install --save-dev testcontainers@12`"
        : `testcontainers cannot be loaded by Node ${process.versions.node}: it needs Node 22.22 or newer (${message})`,
      { cause: error },
    );
  }
}

/** What is put into the container before it starts. */
function files({ disguised }: { disguised: boolean }): { content: string; target: string; mode: number }[] {
  const preloaded = disguised ? preloadedModules : [];
  const place = { listen_addresses: "*" };
  const prepare = [
    "#!/bin/sh",
    "set -e",
    `mkdir -p ${modules}`,
    ...Object.entries(disguised ? standIns : {}).map(
      ([name, source]) => `cp "$(pg_config --pkglibdir)/${source}.so" ${modules}/${name}.so`,
    ),
    `cat >> "$PGDATA/postgresql.conf" <<'end of configuration'`,
    `${configuration({ place, modules, preloaded, disguised })}end of configuration`,
    "",
  ].join("\n");
  return [
    { content: prepare, target: "/docker-entrypoint-initdb.d/local-lakebase.sh", mode: 0o755 },
    ...Object.entries(disguised ? databricksAuthExtension : {}).map(([name, content]) => ({
      content,
      target: `${extensions}/${name}`,
      mode: 0o644,
    })),
  ];
}

/** A hot standby beside the primary, in the same container. */
async function startReplica(
  container: StartedTestContainer,
  primary: BackendAddress,
  credentials: { user: string; password: string; database: string },
): Promise<BackendAddress> {
  const script = [
    `pg_basebackup --username="$0" --pgdata=${replicaData} --checkpoint=fast --no-sync --write-recovery-conf`,
    `echo "port = ${REPLICA_PORT}" >> ${replicaData}/postgresql.conf`,
    `pg_ctl start --wait --pgdata=${replicaData} --log=${replicaData}.log`,
  ].join(" && ");
  const { exitCode, output } = await container.exec(["sh", "-c", script, credentials.user], { user: "postgres" });
  if (exitCode !== 0) throw new Error(`the replica did not start in its container: ${output.trim()}`);
  const address = addressOf(container, REPLICA_PORT);
  const control = await openControlSession(primary, credentials);
  try {
    const session = await openControlSession(address, credentials);
    await followPrimary(control, session).finally(session.close);
  } finally {
    control.close();
  }
  return address;
}

function addressOf(container: StartedTestContainer, port: number): { host: string; port: number } {
  return { host: container.getHost(), port: container.getMappedPort(port) };
}
