import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Account } from "./account.ts";

/** One running `postgres` program. */
export interface Postmaster {
  /** Tries until a session can be opened, or until the program has given up. */
  ready<Session>(open: () => Promise<Session>): Promise<Session>;
  stop(): Promise<void>;
}

export function startPostmaster(account: Account, options: { program: string; data: string; log: string }): Postmaster {
  const { program, data, log } = options;
  const { file, args } = account.command(program, ["-D", data]);
  const output = openSync(log, "a", 0o600);
  const child = spawn(file, args, {
    stdio: ["ignore", output, output],
    // A session of its own: Ctrl-C in a terminal ends the program that uses the database, which then closes it.
    detached: true,
    env: serverEnvironment(),
    cwd: data,
    ...account.owner,
  });
  closeSync(output);
  child.on("error", () => {});
  const isGone = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;

  return {
    async ready(open) {
      for (;;) {
        try {
          return await open();
        } catch (error) {
          if (isGone()) {
            const said = readFileSync(log, "utf8").trim().slice(-2000);
            throw new Error(`Postgres did not start: ${said || (error as Error).message}`, { cause: error });
          }
          await delay(10);
        }
      }
    },
    async stop() {
      if (isGone()) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      // An immediate shutdown: no checkpoint of data that is about to be thrown away.
      child.kill("SIGQUIT");
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await gone;
      clearTimeout(late);
    },
  };
}

/** What programs of the server see of our environment: PGPORT, PGDATA and their kin would steer them. */
export function serverEnvironment(): Record<string, string> {
  const { PATH = "", LD_LIBRARY_PATH } = process.env;
  return { PATH, LC_ALL: "C", TZ: "UTC", ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }) };
}
