import { spawn } from "node:child_process";

/** What became of a program that was run. */
export type CommandOutcome =
  | { readonly kind: "ended"; readonly code: number | null; readonly stdout: string; readonly stderr: string }
  | { readonly kind: "absent" }
  | { readonly kind: "broken"; readonly reason: string };

export interface Command {
  readonly path: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Kills the program, and what it has started. */
  readonly signal: AbortSignal;
}

/** A token and what is written around it are a few kilobytes. */
const maxOutputBytes = 64 * 1024;
const isWindows = process.platform === "win32";

/**
 * Runs a program without a shell and without input, so that it can ask nothing.
 *
 * @throws the signal's reason after an abort, once the program is gone.
 */
export function runCommand({ path, args, environment, signal }: Command): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    // Without a PATH the system looks into its own folders, and for an empty one where the process happens to stand.
    const hasPath = Object.entries(environment).some(
      ([name, value]) => (isWindows ? /^path$/i : /^PATH$/).test(name) && value,
    );
    if (!hasPath && !/[\\/]/.test(path)) return resolve({ kind: "absent" });
    const child = spawn(path, args, {
      env: environmentFor(environment),
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      // A group of its own: `az` is a script, and killing the script alone leaves what it has started.
      detached: !isWindows,
    });
    let broken: string | undefined;
    const kill = () => {
      try {
        if (child.pid !== undefined && !isWindows) process.kill(-child.pid, "SIGKILL");
        else child.kill();
      } catch {
        // It has ended by itself.
      }
      // Something that it left behind may hold its output open for as long as it likes.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const read = (stream: NodeJS.ReadableStream) => {
      const chunks: Buffer[] = [];
      let size = 0;
      stream.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxOutputBytes) chunks.push(chunk);
        else if (broken === undefined) {
          broken = `printed more than ${maxOutputBytes} bytes`;
          kill();
        }
      });
      return () => Buffer.concat(chunks).toString("utf8");
    };
    const [stdout, stderr] = [read(child.stdout), read(child.stderr)];
    signal.addEventListener("abort", kill, { once: true });
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", kill);
      if (signal.aborted) reject(signal.reason);
      else settle();
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      const absent = error.code === "ENOENT" || error.code === "ENOTDIR";
      end(() => resolve(absent ? { kind: "absent" } : { kind: "broken", reason: `cannot be run (${error.code})` }));
    });
    child.on("close", (code, by) => {
      if (by !== null) broken ??= `was ended by ${by}`;
      end(() =>
        resolve(
          broken === undefined
            ? { kind: "ended", code, stdout: stdout(), stderr: stderr() }
            : { kind: "broken", reason: broken },
        ),
      );
    });
  });
}

/** Where the settings of another program are that it does need. */
const needed = ["DATABRICKS_CONFIG_FILE", "DATABRICKS_AUTH_STORAGE"];
/** Secrets that are not its business, and variables that would make it take another identity than the one it is asked for. */
const withheld = /^(?:DATABRICKS_|ARM_|LAKEBASE_|PG|ACTIONS_ID_TOKEN_)/;

function environmentFor(environment: Command["environment"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && (needed.includes(entry[0]) || !withheld.test(entry[0])),
    ),
  );
}
