import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LocalLakebase } from "@x/lakebase-local";

/** The built program, as `npx` finds it. */
export const lakebaseProgram = fileURLToPath(
  new URL("dist/lakebase.mjs", import.meta.resolve("@x/lakebase-cli/package.json")),
);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly process: ChildProcess;
  /** Resolves with all of stdout so far when it holds this text. */
  says(text: string): Promise<string>;
  readonly ended: Promise<Ended>;
}

/** What every command line starts from: enough to find programs, and nothing that tells where to connect. */
export const plainEnvironment = { PATH: process.env.PATH };

/** The variables of a local Lakebase by a name that this machine resolves: programs on Node know no PGHOSTADDR. */
export function localhostEnvironment(local: LocalLakebase): Record<string, string> {
  const { PGHOSTADDR: _, ...env } = local.env;
  return { ...env, PGHOST: "localhost", LAKEBASE_TRUSTED_HOSTS: "localhost" };
}

/** Starts `lakebase` in a session of its own, without a terminal. */
export function startLakebase(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { cwd, input }: { cwd?: string; input?: string } = {},
): Started {
  return start(process.execPath, [lakebaseProgram, ...args], env, { cwd, input });
}

/** Runs `lakebase` to its end. */
export function runLakebase(...parameters: Parameters<typeof startLakebase>): Promise<Ended> {
  return startLakebase(...parameters).ended;
}

const running = new Set<ChildProcess>();

/** Ends what a test that failed has left, with everything that it has started. */
export function endLeftovers(): void {
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, "SIGKILL");
}

export function start(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { cwd, input }: { cwd?: string | undefined; input?: string | undefined } = {},
): Started {
  const child = spawn(file, args, { cwd, env: { ...plainEnvironment, ...env }, detached: true, timeout: 60_000 });
  running.add(child);
  child.on("close", () => running.delete(child));
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  if (input === undefined) child.stdin.end();
  else child.stdin.write(input);
  // A program that does not read may be gone already.
  child.stdin.on("error", () => {});
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, stdout, stderr }));
  return {
    process: child,
    async says(text) {
      while (!stdout.includes(text)) {
        const next = await Promise.race([once(child.stdout, "data"), ended]);
        if (!Array.isArray(next) && !stdout.includes(text)) throw new Error(`ended without ${text}: ${stderr}`);
      }
      return stdout;
    },
    ended,
  };
}
