import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type Account, chooseAccount } from "./account.ts";
import type { BackendAddress } from "./backend.ts";
import type { PostgresBinaries } from "./binaries.ts";
import { openControlSession } from "./control.ts";
import { disguiseModules, giveAway, layOut } from "./installation.ts";

const run = promisify(execFile);

/** Only names the socket: nothing listens on TCP. */
const SOCKET_PORT = 5432;

/** A real Postgres, ready for logins. */
export interface PostgresServer {
  /** What was chosen, for the log. */
  description: string;
  major: number;
  address: BackendAddress;
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
  let postgres: ChildProcess | undefined;
  const stop = async () => {
    if (postgres) await end(postgres);
  };
  try {
    const copied = !account.readsInstallation || process.platform === "darwin";
    const installation = layOut(binaries, join(folder, "postgres"), { how: copied ? "copy" : "link", disguised });
    const preloaded = disguised ? disguiseModules(installation.modules, join(folder, "modules")) : [];
    const password = randomBytes(18).toString("base64url");
    const data = join(folder, "data");
    const log = join(folder, "server.log");
    mkdirSync(data, { mode: 0o700 });
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (account.owner) giveAway(folder, account.owner);

    await initialise(account, join(installation.bin, "initdb"), { data, superuser, passwordFile });
    rmSync(passwordFile);
    appendFileSync(join(data, "postgresql.conf"), configuration({ folder, preloaded, disguised }));
    writeFileSync(join(data, "pg_hba.conf"), "local all all scram-sha-256\nlocal replication all reject\n");
    postgres = launch(account, join(installation.bin, "postgres"), { data, log });

    const server: PostgresServer = {
      description: `Postgres ${binaries.version} (${binaries.source} binaries, ${account.description})`,
      major: binaries.major,
      address: { path: join(folder, `.s.PGSQL.${SOCKET_PORT}`) },
      superuser: { user: superuser, password },
      maintenanceDatabase: "postgres",
      url: (database) =>
        `postgresql://${superuser}:${password}@localhost:${SOCKET_PORT}/${database}?host=${encodeURIComponent(folder)}`,
      hasDatabricksAuth: installation.hasDatabricksAuth,
      isOurs: true,
      stop,
    };
    await ready(postgres, server, log);
    return server;
  } catch (error) {
    await stop();
    throw error;
  }
}

function childEnvironment(): Record<string, string> {
  // Not ours: PGPORT, PGDATA and their kin are meant for clients and would steer the server as well.
  const { PATH = "", LD_LIBRARY_PATH } = process.env;
  return { PATH, LC_ALL: "C", TZ: "UTC", ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }) };
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
    await run(file, args, { env: childEnvironment(), cwd: data, ...account.owner });
  } catch (error) {
    const output = (error as { stderr?: string }).stderr?.trim();
    throw new Error(`initdb failed ${account.description}: ${output || (error as Error).message}`, { cause: error });
  }
}

function configuration(options: { folder: string; preloaded: string[]; disguised: boolean }): string {
  const { folder, preloaded, disguised } = options;
  const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`;
  const lines = [
    "listen_addresses = ''",
    `port = ${SOCKET_PORT}`,
    `unix_socket_directories = ${quoted(folder)}`,
    "unix_socket_permissions = 0700",
    "max_connections = 300",
    "shared_buffers = 32MB",
    // The data lives as long as the process: nothing has to survive a crash.
    "fsync = off",
    "full_page_writes = off",
    "synchronous_commit = off",
    "max_wal_size = 256MB",
    "timezone = 'UTC'",
    "log_timezone = 'UTC'",
  ];
  if (preloaded.length > 0) {
    lines.push(`dynamic_library_path = ${quoted(`${join(folder, "modules")}:$libdir`)}`);
    lines.push(`shared_preload_libraries = ${quoted(preloaded.join(","))}`);
  }
  if (disguised) lines.push("neon.lakebase_mode = 'on'");
  return `\n${lines.join("\n")}\n`;
}

function launch(account: Account, program: string, { data, log }: { data: string; log: string }): ChildProcess {
  const { file, args } = account.command(program, ["-D", data]);
  const output = openSync(log, "a", 0o600);
  try {
    const child = spawn(file, args, {
      stdio: ["ignore", output, output],
      // A session of its own: Ctrl-C in a terminal ends the program that uses the database, which then closes it.
      detached: true,
      env: childEnvironment(),
      cwd: data,
      ...account.owner,
    });
    child.on("error", () => {});
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

async function ready(postgres: ChildProcess, server: PostgresServer, log: string): Promise<void> {
  for (;;) {
    try {
      const session = await openControlSession(server.address, {
        ...server.superuser,
        database: server.maintenanceDatabase,
      });
      session.close();
      return;
    } catch (error) {
      if (postgres.exitCode !== null || postgres.signalCode !== null || postgres.pid === undefined) {
        const output = readFileSync(log, "utf8").trim().slice(-2000);
        throw new Error(`${server.description} did not start: ${output || (error as Error).message}`, { cause: error });
      }
      await delay(10);
    }
  }
}

async function end(postgres: ChildProcess): Promise<void> {
  if (postgres.pid === undefined || postgres.exitCode !== null || postgres.signalCode !== null) return;
  postgres.ref();
  const gone = new Promise((resolve) => postgres.once("exit", resolve));
  // An immediate shutdown: no checkpoint of data that is about to be thrown away.
  postgres.kill("SIGQUIT");
  const late = setTimeout(() => postgres.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(late);
}
