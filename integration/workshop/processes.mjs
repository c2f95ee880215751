import { spawn } from "node:child_process";
import { constants } from "node:os";

/** What stops a task: one sentence for the person who started it and, where there is one, the output that explains it. */
export class Trouble extends Error {
  /** @param {string} message @param {string} [output] */
  constructor(message, output) {
    super(message);
    this.output = output;
  }
}

const running = new Set();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the child as well. Twice would mean "at once, without cleaning up" to some programs.
    const alreadyTold = signal === "SIGINT" && process.stdin.isTTY;
    if (!alreadyTold) for (const child of running) child.kill(signal);
    if (running.size === 0) process.exit(128 + constants.signals[signal]);
  });
}

/**
 * Runs one program and waits for its end. A quiet program's output is kept for the caller, any other's is shown. A quiet
 * program is ended early when what it has said so far makes it `hopeless`.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv, cwd?: string, quiet?: boolean, hopeless?: (output: string) => boolean }} options
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, { env, cwd, quiet = false, hopeless }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit" });
    running.add(child);
    const chunks = [];
    const text = () => Buffer.concat(chunks).toString();
    const listen = (chunk) => {
      chunks.push(chunk);
      if (hopeless?.(text())) child.kill();
    };
    child.stdout?.on("data", listen);
    child.stderr?.on("data", listen);
    child.on("error", (error) => {
      running.delete(child);
      reject(error);
    });
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? 128 + constants.signals[signal], output: text() });
    });
  });
}
