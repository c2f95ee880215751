import { notWorkspace, workspaceOrigin } from "../config/identity-group.ts";
import { whatIsMissing } from "../config/missing.ts";
import type { ResolvedConfig } from "../config.ts";
import { type ConfigProblem, configError } from "../errors.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { authFromEnvironment } from "./environment.ts";

/** Who asks for tokens, and whom. */
export interface ResolvedIdentity {
  readonly auth: WorkspaceAuth;
  /** `https://…` without a path. */
  readonly workspaceHost: string;
}

/**
 * Settles the identity of a handle at its first use: what the options give, or else what the environment names.
 *
 * @returns `undefined` for a native role, which needs no workspace.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists everything that is missing.
 */
export async function resolveIdentity(config: ResolvedConfig): Promise<ResolvedIdentity | undefined> {
  const { identity } = config;
  if (identity.kind === "native") {
    throwProblems(whatIsMissing(config, {}));
    return undefined;
  }
  const problems: ConfigProblem[] = [];
  let { auth } = identity;
  if (!auth && identity.environment) {
    const found = await authFromEnvironment(identity.environment);
    if ("problem" in found) problems.push(found.problem);
    else auth = found.auth;
  }
  const workspaceHost = await workspaceOf(auth, config.workspaceHost, problems);
  problems.unshift(...whatIsMissing(config, { auth, workspaceHost }));
  throwProblems(problems);
  return auth && workspaceHost !== undefined ? { auth, workspaceHost } : undefined;
}

/** An identity's token is for its own workspace: another one must not get it. */
async function workspaceOf(auth: WorkspaceAuth | undefined, given: string | undefined, problems: ConfigProblem[]) {
  const named = await auth?.workspaceHost?.();
  if (auth === undefined || named === undefined) return given;
  const problem = (message: string) => problems.push({ option: "workspaceHost", variable: "DATABRICKS_HOST", message });
  const origin = workspaceOrigin(named);
  if (origin === undefined) problem(`as ${auth.kind} names it ${notWorkspace}`);
  else if (given !== undefined && given !== origin) {
    problem(`is ${given}, but ${auth.kind} belongs to ${origin}; remove one of the two`);
  }
  return given ?? origin ?? named;
}

function throwProblems(problems: readonly ConfigProblem[]): void {
  if (problems.length > 0) throw configError(problems);
}
