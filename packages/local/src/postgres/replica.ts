import { appendFileSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Account } from "./account.ts";
import type { BackendAddress } from "./backend.ts";
import { type ControlSession, openControlSession, quoteLiteral } from "./control.ts";
import { giveAway } from "./installation.ts";
import { type Postmaster, startPostmaster } from "./postmaster.ts";

export interface ReplicaOptions {
  account: Account;
  /** The `postgres` program. */
  program: string;
  folder: string;
  data: string;
  port: number;
  primary: { address: BackendAddress; port: number };
  superuser: { user: string; password: string };
  database: string;
}

/** A hot standby: sessions on it cannot write, whatever they set. */
export interface Replica {
  address: BackendAddress;
  stop(): Promise<void>;
}

/**
 * Copies the primary's files and follows its log. Afterwards a commit on the primary waits until the replica shows it:
 * a test that writes on one host and reads on the other needs no patience.
 */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const { account, program, folder, data, port, primary, superuser, database } = options;
  const credentials = { ...superuser, database };
  const address = { path: join(folder, `.s.PGSQL.${port}`) };
  const control = await openControlSession(primary.address, credentials);
  let postmaster: Postmaster | undefined;
  try {
    await backUp(control, join(folder, "data"), data);
    writeFileSync(join(data, "standby.signal"), "");
    appendFileSync(
      join(data, "postgresql.conf"),
      `\nport = ${port}\nprimary_conninfo = ${quoteLiteral(
        `host='${folder}' port=${primary.port} user=${superuser.user} password=${superuser.password}`,
      )}\n`,
    );
    if (account.owner) giveAway(data, account.owner);
    postmaster = startPostmaster(account, { program, data, log: join(folder, "replica.log") });
    const session = await postmaster.ready(() => openControlSession(address, credentials));
    await followPrimary(control, session).finally(session.close);
    return { address, stop: postmaster.stop };
  } catch (error) {
    await postmaster?.stop();
    throw error;
  } finally {
    control.close();
  }
}

async function backUp(control: ControlSession, from: string, to: string): Promise<void> {
  await control.query("SELECT pg_backup_start('replica', true)");
  mkdirSync(to, { mode: 0o700 });
  await copyData(from, to);
  const [row] = await control.query("SELECT labelfile FROM pg_backup_stop(false)");
  writeFileSync(join(to, "backup_label"), row?.[0] ?? "");
}

// The log comes through the connection; the rest belongs to the process that writes it.
const left = new Set(["pg_wal", "pg_replslot", "pg_stat_tmp"]);

async function copyData(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await mkdir(target, { mode: 0o700 });
      if (!left.has(entry.name)) await copyData(source, target);
    } else if (entry.isFile() && !entry.name.startsWith("postmaster.")) {
      await copyFile(source, target, constants.COPYFILE_FICLONE).catch((error: NodeJS.ErrnoException) => {
        // Dropped in the meantime: the log tells the replica so.
        if (error.code !== "ENOENT") throw error;
      });
    }
  }
}

/** From now on the primary waits with each commit until the replica, which runs, shows it. */
export async function followPrimary(primary: ControlSession, replica: ControlSession): Promise<void> {
  await primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
  await primary.query("ALTER SYSTEM SET synchronous_commit = 'remote_apply'");
  await primary.query("SELECT pg_reload_conf()");
  const holds = async (session: ControlSession, condition: string) => {
    while ((await session.query(`SELECT ${condition}`))[0]?.[0] !== "t") await delay(10);
  };
  await holds(primary, "EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')");
  const [row] = await primary.query("SELECT pg_current_wal_insert_lsn()");
  // A commit that waits, so that the log goes out up to here.
  await primary.query("SELECT pg_current_xact_id()");
  await holds(replica, `pg_last_wal_replay_lsn() >= ${quoteLiteral(row?.[0] ?? "0/0")}`);
}
