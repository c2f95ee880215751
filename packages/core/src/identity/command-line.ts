import { LakebaseError, type LakebaseErrorCode } from "../errors.ts";
import { createSecret } from "../secret.ts";
import type { WorkspaceAuthContext, WorkspaceToken } from "../workspace-auth.ts";
import { runCommand } from "./command.ts";
import { isTokenText } from "./token-answer.ts";

/** What an identity that asks a program needs of its surroundings. */
export type CommandContext = Pick<WorkspaceAuthContext, "environment" | "signal" | "now">;

/** What a program's complaint means. Only the phrase is looked for: what else it prints may hold secrets. */
export interface Complaint {
  readonly phrase: RegExp;
  /** There is no identity here: the next step. */
  readonly absent?: string;
  readonly error?: { readonly code: LakebaseErrorCode; readonly message: string; readonly retryable: boolean };
  /** Whether the caller has another way to ask. */
  readonly other?: true;
}

/** A program that gives out tokens of whoever is signed in to it. */
export interface CommandLine {
  /** As people call it: "the Databricks CLI". */
  readonly name: string;
  readonly path: string;
  /** What to do where it is not installed. */
  readonly install: string;
  readonly complaints: readonly Complaint[];
}

/** Its answer; or why there is no identity; or that it must be asked in another way. */
export type CommandAnswer =
  | { readonly json: Readonly<Record<string, unknown>> }
  | { readonly absent: string }
  | { readonly other: true };

/** Not of one program: what stands between it and its issuer. */
const networkComplaint: Complaint = {
  phrase:
    /no such host|connection refused|connection reset|i\/o timeout|max retries exceeded|name or service not known/i,
  error: { code: "ERR_LAKEBASE_UNAVAILABLE", message: "could not reach its issuer", retryable: true },
};

/**
 * Asks a program for one JSON document.
 *
 * @throws LakebaseError of the class of the failure; nothing that the program printed is quoted.
 */
export async function askCommandLine(
  { name, path, install, complaints }: CommandLine,
  args: readonly string[],
  { environment, signal }: CommandContext,
): Promise<CommandAnswer> {
  const outcome = await runCommand({ path, args, environment: environment(), signal });
  if (outcome.kind === "absent") return { absent: `${name} is not installed (${path}); ${install}` };
  if (outcome.kind === "broken") {
    throw new LakebaseError("ERR_LAKEBASE_UNAUTHENTICATED", `${name} ${outcome.reason}`);
  }
  if (outcome.code !== 0) {
    const complaint = [...complaints, networkComplaint].find(({ phrase }) => phrase.test(outcome.stderr));
    if (complaint?.other) return { other: true };
    if (complaint?.absent !== undefined) return { absent: complaint.absent };
    const { code, message, retryable } = complaint?.error ?? {
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      retryable: false,
      message: `failed with exit code ${outcome.code}; run \`${[path, ...args].join(" ")}\` to see why`,
    };
    throw new LakebaseError(code, `${name} ${message}`, { retryable });
  }
  try {
    const json: unknown = JSON.parse(outcome.stdout);
    if (Object(json) === json) return { json: json as Record<string, unknown> };
  } catch {
    // Said below: a parser's own words would quote what was printed.
  }
  throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", `${name} printed no JSON; is ${path} what it should be?`);
}

/**
 * The token that a program printed.
 *
 * @param endsAt Wall clock, milliseconds; `NaN` where it is not known.
 * @throws LakebaseError `ERR_LAKEBASE_BAD_RESPONSE` when it is none, `ERR_LAKEBASE_UNAUTHENTICATED` when it has ended.
 */
export function tokenOf(name: string, token: unknown, endsAt: number, now: number): WorkspaceToken {
  if (!isTokenText(token)) throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", `${name} printed no usable token`);
  if (endsAt <= now) {
    throw new LakebaseError(
      "ERR_LAKEBASE_UNAUTHENTICATED",
      `${name} gave a token that has ended; is this machine's clock right?`,
    );
  }
  return { token: createSecret(token), lifetimeMs: Number.isNaN(endsAt) ? undefined : endsAt - now };
}

/** An identity that is not there when it is needed. */
export function absentIdentity(absent: string): LakebaseError {
  return new LakebaseError("ERR_LAKEBASE_UNAUTHENTICATED", absent);
}
