import { completeClock } from "../clock.ts";
import { variablesOf } from "../config/reader.ts";
import type { ResolvedConfig } from "../config.ts";
import { withDeadline } from "../deadline.ts";
import { isLakebaseError } from "../error-chain.ts";
import { LakebaseError } from "../errors.ts";
import { targetLabel } from "../target.ts";
import type { WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import { type ResolvedIdentity, resolveSelected, selectionFor } from "./resolved-identity.ts";
import type { AuthCandidate, Selection } from "./selection.ts";

/** What `explainAuth()` answers. `String(explanation)` is the same for people. */
export interface AuthExplanation {
  /** The `kind` of the identity that a login uses; `undefined` where there is none. `"native"`: a role with a password. */
  readonly identity: string | undefined;
  /** Who named it. */
  readonly source: "options" | "environment" | "profile" | undefined;
  /** The Postgres user; `undefined` where the workspace is asked for it at the first login. */
  readonly user: string | undefined;
  readonly workspaceHost: string | undefined;
  /** Where the workspace's name stands, for example `DATABRICKS_HOST`. */
  readonly workspaceSource: string | undefined;
  /** What is logged in to, as in messages. */
  readonly target: string;
  /** Every identity that was looked for, in order. Empty where the options give one. */
  readonly candidates: readonly AuthCandidate[];
  /** What works and should not stay as it is. */
  readonly warnings: readonly string[];
  /** What a login fails with: `undefined`, as far as can be told. */
  readonly error: LakebaseError | undefined;
  toString(): string;
}

/** Makes the same choice as a login, and tells how it came about. */
export async function explain(config: ResolvedConfig): Promise<AuthExplanation> {
  const clock = completeClock(config.clock);
  const warnings = new Set<string>();
  const expired = () => new LakebaseError("ERR_LAKEBASE_TIMEOUT", "no identity was found in time", { retryable: true });
  const deadline = { clock, timeoutMs: config.scope.connectTimeoutMs, expired };
  return withDeadline(deadline, async (signal) => {
    const surroundings: WorkspaceAuthSurroundings = {
      signal,
      variable: variablesOf(config.environment()),
      environment: config.environment,
      now: clock.now,
      warn: (message) => warnings.add(message),
    };
    let selection: Selection | undefined;
    let resolved: ResolvedIdentity | undefined;
    let error: LakebaseError | undefined;
    try {
      selection = await selectionFor(config.identity, surroundings);
      resolved = await resolveSelected(config, selection, surroundings);
    } catch (reason) {
      if (!isLakebaseError(reason)) throw reason;
      error = reason;
    }
    return withText({ ...factsOf(config, selection, resolved), warnings: [...warnings], error });
  });
}

function factsOf(config: ResolvedConfig, selection: Selection | undefined, resolved: ResolvedIdentity | undefined) {
  const { identity, fromOptions } = config;
  const auth = identity.kind === "native" ? undefined : selection ? selection.auth : identity.auth;
  const profile = selection?.profile;
  const isNative = identity.kind === "native";
  const own = fromOptions.identity ? "the option workspaceHost" : "DATABRICKS_HOST";
  const byIdentity = profile ? `the profile ${profile.name}` : auth?.kind;
  const workspaceHost = resolved?.workspaceHost ?? config.workspaceHost ?? profile?.fields.host;
  return {
    identity: isNative ? "native" : auth?.kind,
    source: sourceOf(isNative || auth !== undefined, profile !== undefined, fromOptions.identity),
    user: identity.user || auth?.user,
    workspaceHost,
    workspaceSource: workspaceHost === undefined ? undefined : config.workspaceHost ? own : byIdentity,
    target: targetLabel(config.target),
    candidates: selection?.candidates ?? [],
  };
}

function sourceOf(found: boolean, ofProfile: boolean, fromOptions: boolean): AuthExplanation["source"] {
  if (!found) return undefined;
  if (ofProfile) return "profile";
  return fromOptions ? "options" : "environment";
}

function withText(facts: Omit<AuthExplanation, "toString">): AuthExplanation {
  const { identity, source, user, workspaceHost, workspaceSource, target, candidates, warnings, error } = facts;
  const width = Math.max(0, ...candidates.map(({ type }) => type.length));
  const text = [
    `identity:  ${identity === undefined ? "none" : `${identity}, from the ${source}`}`,
    `workspace: ${workspaceHost === undefined ? "none" : `${workspaceHost}, named by ${workspaceSource}`}`,
    `user:      ${user ?? "the workspace is asked at the first login"}`,
    `target:    ${target}`,
    ...candidates.map(({ type, outcome, reason }) => `  ${outcome.padEnd(7)}  ${type.padEnd(width)}  ${reason}`),
    ...warnings.map((warning) => `warning:   ${warning}`),
    ...(error ? [`a login fails: ${error.message}`] : []),
  ].join("\n");
  // Not enumerable: printing the object shows the facts.
  return Object.defineProperty({ ...facts }, "toString", { value: () => text });
}
