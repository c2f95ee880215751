// The demo: an order-taking service on a local Lakebase whose tokens live a few seconds. See README.md.
import picocolors from "picocolors";
import { type CommandLine, help, parseCommandLine } from "./command-line.ts";
import { runDemo } from "./demo.ts";
import { showIdentities } from "./identities/act.ts";
import { createPlainLines } from "./output/plain-lines.ts";
import { formatSummary } from "./output/summary.ts";
import { judge } from "./record/checks.ts";

const { stdout, stderr } = process;
const exitCodes = { SIGINT: 130, SIGTERM: 143 };

const commandLine = readCommandLine();
if (commandLine?.act === "help") stdout.write(help);
else if (commandLine) await run(commandLine);

function readCommandLine(): CommandLine | undefined {
  try {
    return parseCommandLine(process.argv.slice(2));
  } catch (error) {
    stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 2;
    return undefined;
  }
}

async function run(asked: Exclude<CommandLine, { act: "help" }>): Promise<void> {
  const live = stdout.isTTY && !process.env.CI && process.env.TERM !== "dumb";
  const colors = picocolors.createColors(live && picocolors.isColorSupported);
  const display =
    live && asked.act === "load"
      ? (await import("./output/live-table.ts")).createLiveTable(stdout, colors, asked.seconds)
      : createPlainLines((text) => stdout.write(text));

  const stop = new AbortController();
  const endEarly = (exitCode: number, why: string) => {
    if (stop.signal.aborted) return;
    process.exitCode = exitCode;
    stop.abort(new Error(why));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Whoever insists is not kept waiting: what is left behind is ended by the local Lakebase's own guardian.
      if (stop.signal.aborted) process.exit(exitCodes[signal]);
      endEarly(exitCodes[signal], "Stopped.");
    });
  }
  stdout.on("error", (error) => endEarly(1, `Nobody reads the output any more: ${error.message}`));
  process.on("uncaughtException", (error) => endEarly(1, error.stack ?? String(error)));

  const playLoad = async ({ seconds, adapters }: Extract<CommandLine, { act: "load" }>) => {
    const evidence = await runDemo({ seconds, adapters, display, signal: stop.signal });
    return { sections: judge(evidence), failures: evidence.tally.failures };
  };
  const playIdentities = async ({ names }: Extract<CommandLine, { act: "identities" }>) => ({
    sections: await showIdentities({ names, display, signal: stop.signal }),
    failures: [],
  });
  try {
    const { sections, failures } = await (asked.act === "load" ? playLoad(asked) : playIdentities(asked));
    stop.signal.throwIfAborted();
    stdout.write(formatSummary(sections, failures, colors));
    if (sections.some(({ checks }) => checks.some(({ met }) => met === false))) process.exitCode = 1;
  } catch (error) {
    stderr.write(`${stop.signal.aborted ? stop.signal.reason.message : ((error as Error).stack ?? String(error))}\n`);
    process.exitCode ??= 1;
  }
}
