import { createLakebase } from "@x/lakebase-core";
import { childEnvironment } from "./child-environment.ts";
import { type CommandLine, runCommand } from "./child-process.ts";
import { type CommonOptions, type Environment, effectiveEnvironment, lakebaseOptions } from "./options.ts";
import { findRootCertificates } from "./root-certificates.ts";

/** Runs a command with everything that a Postgres driver needs in its environment, and answers its exit code. */
export async function executeCommand(
  command: CommandLine,
  options: CommonOptions,
  env: Environment,
  tell: (line: string) => void,
): Promise<number> {
  const effective = effectiveEnvironment(options, env);
  const settings = await resolveSettings();
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
    tell("NODE_TLS_REJECT_UNAUTHORIZED is not passed on: the command would send the token to whoever answers");
  }
  return runCommand(command, () => childEnvironment(effective, settings, findRootCertificates(effective)));

  async function resolveSettings() {
    await using lakebase = createLakebase(lakebaseOptions(options, effective, tell));
    return await lakebase.connection();
  }
}
