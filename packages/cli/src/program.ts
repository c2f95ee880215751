import { Command, CommanderError } from "commander";
import { executeCommand } from "./exec-command.ts";
import { exitCodes } from "./exit-codes.ts";
import { describeFailure } from "./failure.ts";
import { addCommonOptions, type CommonOptions, type Environment } from "./options.ts";
import { printToken } from "./token-command.ts";
import { packageVersion } from "./version.ts";

const afterHelp = `
Secrets come from the environment only: DATABRICKS_HOST with DATABRICKS_CLIENT_ID and
DATABRICKS_CLIENT_SECRET, or with DATABRICKS_TOKEN; without any of them, whoever has
signed in with "databricks auth login". Each option goes before its variable.

Exit codes: 0 done, 2 usage or configuration, 3 identity refused, 4 no such endpoint or
instance, 5 not reachable or too late, 6 certificate or answer not to be trusted,
126 command cannot be run, 127 no such command; otherwise those of the command.`;

/** Runs the command line and answers the exit code. */
export async function runProgram(args: readonly string[], env: Environment): Promise<number> {
  let exitCode: number = exitCodes.done;
  const tell = (line: string) => process.stderr.write(`lakebase: ${line}\n`);

  const program = new Command("lakebase")
    .description("Databricks Lakebase for every other Postgres tool")
    .version(packageVersion)
    .addHelpText("after", afterHelp)
    .exitOverride()
    // What somebody has put into an argument may be a secret, and errors end up in logs.
    .configureOutput({ outputError: (text, write) => write(text.replace(/(--?[\w-]+)=[\s\S]*'/, "$1=…'")) });

  addCommonOptions(program.command("token"))
    .description("print a new token, which is a Postgres password for an hour")
    .option("--json", "as { token, expiresAt, target }")
    .action(async (options: CommonOptions & { json?: true }) => {
      await printToken(options, env, tell);
    });

  // A command's own arguments are none of ours, so they do not go through the parser.
  const [own, command] = splitCommand(args);
  const exec = addCommonOptions(program.command("exec"))
    .description("run a command that finds host, user and a new token in its environment")
    .usage("[options] -- <command> [arguments…]")
    .allowExcessArguments()
    .action(async (options: CommonOptions) => {
      const [file, ...rest] = command ?? [];
      if (file === undefined)
        exec.error("error: no command after --: lakebase exec [options] -- <command> [arguments…]");
      else exitCode = await executeCommand({ file, args: rest }, options, env, tell);
    });

  try {
    await program.parseAsync(own, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    const failure = describeFailure(error);
    tell(failure.text);
    return failure.exitCode;
  }
  return exitCode;
}

function splitCommand(args: readonly string[]): [own: string[], command: string[] | undefined] {
  const dashes = args[0] === "exec" ? args.indexOf("--") : -1;
  return dashes < 0 ? [[...args], undefined] : [args.slice(0, dashes), args.slice(dashes + 1)];
}
