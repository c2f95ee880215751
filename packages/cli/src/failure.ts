import { type ConfigProblem, findLakebaseError, type LakebaseError } from "@x/lakebase-core";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { flagOf } from "./options.ts";

/** An end with a message of our own. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

const tryAgain = "Nothing needs to be changed for another try.";
const nextSteps: Readonly<Record<string, string>> = {
  ERR_LAKEBASE_CONFIG: "`npx @x/lakebase-cli --help` lists the options and variables.",
  ERR_LAKEBASE_BAD_REQUEST: "Check the name of the endpoint or the instance, and which of the two it is.",
  ERR_LAKEBASE_RATE_LIMITED: tryAgain,
  ERR_LAKEBASE_UNAVAILABLE: tryAgain,
  ERR_LAKEBASE_TIMEOUT: `${tryAgain} --timeout gives it longer.`,
};

/** What to tell the person who started us, and the exit code for the program that did. */
export function describeFailure(error: unknown): { text: string; exitCode: number } {
  if (error instanceof Failure) return { text: error.message, exitCode: error.exitCode };
  const ours = findLakebaseError(error);
  if (!ours) {
    const message = error instanceof Error ? error.message : String(error);
    return { text: `an error that is not expected: ${message}`, exitCode: exitCodes.unexpected };
  }
  const end = [`(${ours.code})`, nextSteps[ours.code]].filter((part) => part !== undefined).join(" ");
  return { text: `${messageOf(ours)}\n${end}`, exitCode: exitCodeOf(ours.code) };
}

/** Core speaks of options as code has them; here they are flags. */
function messageOf({ message, problems }: LakebaseError): string {
  if (!problems) return message;
  const [first, ...others] = problems.map(lineOf);
  if (others.length === 0) return `${first}`;
  return [`${problems.length} problems:`, first, ...others].join("\n  ");
}

function lineOf({ option, variable, message }: ConfigProblem): string {
  const places = [flagOf(option), variable].filter((place) => place !== undefined);
  return `${places.join(" or ") || option}: ${message}`;
}
