import { type Identity, notWorkspace, workspaceOrigin } from "../config/identity-group.ts";
import { whatIsMissing } from "../config/missing.ts";
import type { ResolvedConfig } from "../config.ts";
import { type ConfigProblem, configError } from "../errors.ts";
import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import { selectIdentity } from "./environment.ts";
import type { LazyAuth } from "./lazy-auth.ts";
import type { Selection } from "./selection.ts";

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
export async function resolveIdentity(
  config: ResolvedConfig,
  surroundings: WorkspaceAuthSurroundings,
): Promise<ResolvedIdentity | undefined> {
  return resolveSelected(config, await selectionFor(config.identity, surroundings), surroundings);
}

/** {@link resolveIdentity} where the choice was made. */
export async function resolveSelected(
  config: ResolvedConfig,
  selection: Selection | undefined,
  surroundings: WorkspaceAuthSurroundings,
): Promise<ResolvedIdentity | undefined> {
  const { identity } = config;
  if (identity.kind === "native") {
    throwProblems(whatIsMissing(config, {}));
    return undefined;
  }
  if (selection?.failure) throw selection.failure;
  const problems: ConfigProblem[] = selection?.problem ? [selection.problem] : [];
  const auth = selection ? selection.auth : identity.auth;
  const workspaceHost = await workspaceOf(auth, config.workspaceHost, surroundings, problems);
  // A profile may name the workspace and nobody.
  const named = workspaceHost ?? (selection?.profile?.fields.host || undefined);
  problems.unshift(...whatIsMissing(config, { auth, workspaceHost: named }));
  throwProblems(problems);
  return auth && workspaceHost !== undefined ? { auth, workspaceHost } : undefined;
}

/**
 * How the identity was chosen.
 *
 * @returns `undefined` where there was no choice: the options give it, or nobody does.
 */
export async function selectionFor(
  identity: Identity,
  surroundings: WorkspaceAuthSurroundings,
): Promise<Selection | undefined> {
  if (identity.kind === "native") return undefined;
  const { auth, environment } = identity;
  if (!auth) return environment && selectIdentity(environment, surroundings);
  return (await (auth as Partial<LazyAuth>).flow?.())?.select?.(surroundings);
}

/** An identity's token is for its own workspace: another one must not get it. */
async function workspaceOf(
  auth: WorkspaceAuth | undefined,
  given: string | undefined,
  surroundings: WorkspaceAuthSurroundings,
  problems: ConfigProblem[],
) {
  const named = await auth?.workspaceHost?.(surroundings);
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
