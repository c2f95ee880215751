import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Account, chooseAccount } from "./account.ts";
import type { BackendAddress } from "./backend.ts";
import type { PostgresBinaries } from "./binaries.ts";
import { configuration } from "./configuration.ts";
import { openControlSession } from "./control.ts";
import { disguiseModules, giveAway, layOut } from "./installation.ts";
import { type Postmaster, serverEnvironment, startPostmaster } from "./postmaster.ts";
import { type Replica, startReplica } from "./replica.ts";

const run = promisify(execFile);

/** Only names the socket: nothing listens on TCP. */
const SOCKET_PORT = 5432;
const REPLICA_SOCKET_PORT = 5433;

/** A real Postgres, ready for logins. */
export interface PostgresServer {
  /** What was chosen, for the log. */
  description: string;
  major: number;
  address: BackendAddress;
  /**
   * A server with the same data on which nobody can write, started when it is first asked for. `undefined` where there is
   * none: on a server of somebody else, or older than 15.
   */
  replica: (() => Promise<BackendAddress>) | undefined;
  superuser: { user: string; password: string };
  /** A database that is there from the beginning. */
  maintenanceDatabase: string;
  /** A URL of the superuser, straight to Postgres. */
  url(database: string): string;
  hasDatabricksAuth: boolean;
  /** Started here, and gone afterwards with all that was put into it. */
  isOurs: boolean;
  stop(): Promise<void>;
}

export interface ServerOptions {
  binaries: PostgresBinaries;
  superuser: string;
  /** With Lakebase's preloaded libraries and settings. */
  disguised: boolean;
  /** A private folder for everything, with a path short enough for a socket in it. */
  folder: string;
  env: Record<string, string | undefined>;
}

export async function startServer(options: ServerOptions): Promise<PostgresServer> {
  const { binaries, superuser, disguised, folder, env } = options;
  const account = chooseAccount(binaries.bin, env.PATH);
  let postmaster: Postmaster | undefined;
  let replica: Promise<Replica> | undefined;
  const stop = async () => {
    await replica?.then((started) => started.stop()).catch(() => {});
    await postmaster?.stop();
  };
  try {
    const copied = !account.readsInstallation || process.platform === "darwin";
    const installation = layOut(binaries, join(folder, "postgres"), { how: copied ? "copy" : "link", disguised });
    const modules = join(folder, "modules");
    const preloaded = disguised ? disguiseModules(installation.modules, modules) : [];
    const password = randomBytes(18).toString("base64url");
    const data = join(folder, "data");
    mkdirSync(data, { mode: 0o700 });
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (account.owner) giveAway(folder, account.owner);

    await initialise(account, join(installation.bin, "initdb"), { data, superuser, passwordFile });
    rmSync(passwordFile);
    const place = {
      listen_addresses: "",
      port: String(SOCKET_PORT),
      unix_socket_directories: folder,
      unix_socket_permissions: "0700",
    };
    appendFileSync(join(data, "postgresql.conf"), configuration({ place, modules, preloaded, disguised }));
    writeFileSync(
      join(data, "pg_hba.conf"),
      `local all all scram-sha-256\nlocal replication ${superuser} scram-sha-256\n`,
    );
    const program = join(installation.bin, "postgres");
    postmaster = startPostmaster(account, { program, data, log: join(folder, "server.log") });

    const address = { path: join(folder, `.s.PGSQL.${SOCKET_PORT}`) };
    const credentials = { user: superuser, password };
    const database = "postgres";
    const session = await postmaster.ready(() => openControlSession(address, { ...credentials, database }));
    session.close();
    return {
      description: `Postgres ${binaries.version} (${binaries.source} binaries, ${account.description})`,
      major: binaries.major,
      address,
      replica:
        binaries.major < 15
          ? undefined
          : async () => {
              replica ??= startReplica({
                account,
                program,
                folder,
                data: join(folder, "replica"),
                port: REPLICA_SOCKET_PORT,
                primary: { address, port: SOCKET_PORT },
                superuser: credentials,
                database,
              });
              return (await replica).address;
            },
      superuser: credentials,
      maintenanceDatabase: database,
      url: (name) =>
        `postgresql://${superuser}:${password}@localhost:${SOCKET_PORT}/${name}?host=${encodeURIComponent(folder)}`,
      hasDatabricksAuth: installation.hasDatabricksAuth,
      isOurs: true,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function initialise(
  account: Account,
  initdb: string,
  { data, superuser, passwordFile }: { data: string; superuser: string; passwordFile: string },
): Promise<void> {
  const { file, args } = account.command(initdb, [
    `--pgdata=${data}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
  ]);
  try {
    await run(file, args, { env: serverEnvironment(), cwd: data, ...account.owner });
  } catch (error) {
    const output = (error as { stderr?: string }).stderr?.trim();
    throw new Error(`initdb failed ${account.description}: ${output || (error as Error).message}`, { cause: error });
  }
}
