import { createLakebase } from "@x/lakebase-core";
import { type CommonOptions, type Environment, effectiveEnvironment, lakebaseOptions } from "./options.ts";

/** Prints a token, and nothing else, on stdout: what reads it may be a program. */
export async function printToken(
  options: CommonOptions & { readonly json?: true },
  env: Environment,
  tell: (line: string) => void,
): Promise<void> {
  await using lakebase = createLakebase(lakebaseOptions(options, effectiveEnvironment(options, env), tell));
  const { token, expiresAt } = await lakebase.credential();
  if (options.json) {
    const { target } = lakebase.health();
    process.stdout.write(`${JSON.stringify({ token: token.reveal(), expiresAt, target })}\n`);
    return;
  }
  process.stdout.write(`${token.reveal()}\n`);
  if (process.stdout.isTTY) tell(`good for logins until ${expiresAt.toISOString()}`);
}
