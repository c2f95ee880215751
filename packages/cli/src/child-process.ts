import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { setImmediate } from "node:timers/promises";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

/** A program and its arguments, as they are: no shell reads them. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

type Signal = "SIGINT" | "SIGQUIT" | "SIGTERM" | "SIGHUP";

/** Those that a terminal sends to every process of the foreground, so that a command has had them when we have. */
const keys: readonly Signal[] = ["SIGINT", "SIGQUIT"];
const signals: readonly Signal[] = [...keys, "SIGTERM", "SIGHUP"];

/**
 * Runs a command on our own stdin, stdout and stderr, passes on the signals that it does not get by itself, and answers
 * its exit code, 128 + n when a signal has ended it.
 *
 * @param prepare Makes its environment. Signals end nothing from then on before the files that it makes are gone again.
 * @throws Failure when the command cannot be started
 */
export async function runCommand(command: CommandLine, prepare: () => Record<string, string>): Promise<number> {
  let child: ChildProcess | undefined;
  let early: Signal | undefined;
  const byTerminal = hasTerminal();
  const onSignal = (signal: Signal) => {
    if (!child) early = signal;
    // On Windows the console tells everybody, and to send a signal is to kill.
    else if (process.platform !== "win32" && !(byTerminal && keys.includes(signal))) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const env = prepare();
    // A signal that came meanwhile is told now, and not to a command that has begun after it. Twice: the rest of one turn of
    // the event loop may be past the place where it looks for signals.
    await setImmediate();
    await setImmediate();
    if (early) return 128 + constants.signals[early];
    const started = startCommand(command, env);
    child = started;
    return await new Promise((resolve, reject) => {
      started.on("error", (error) => {
        // Also told when a signal could not be passed on.
        if (started.pid === undefined) reject(notStarted(command.file, error));
      });
      started.on("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
    });
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** Most reasons not to start are told by an event, some (E2BIG, ENOTDIR) are thrown. */
function startCommand({ file, args }: CommandLine, env: Record<string, string>): ChildProcess {
  try {
    return spawn(file, args, { env, stdio: "inherit" });
  } catch (error) {
    throw notStarted(file, error);
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

function notStarted(file: string, error: unknown): Failure {
  const { code = "unknown error" } = error as NodeJS.ErrnoException;
  const windows =
    process.platform === "win32"
      ? ". On Windows npm's commands are scripts for a shell, and none is used here: name the program itself, as in `-- node node_modules/drizzle-kit/bin.cjs push`"
      : "";
  if (code === "ENOENT") {
    const hint = file.includes("/") ? "" : ": it is not on PATH; a project's own commands are, after `npx`";
    return new Failure(exitCodes.noSuchCommand, `there is no command ${file}${hint}${windows}`);
  }
  return new Failure(exitCodes.cannotRun, `the command ${file} cannot be run (${code})${windows}`);
}
