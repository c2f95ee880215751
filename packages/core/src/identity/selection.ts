import type { ConfigProblem, LakebaseError } from "../errors.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import type { Profile } from "./config-file.ts";

/** One identity that was looked for. */
export interface AuthCandidate {
  /** As `DATABRICKS_AUTH_TYPE` has it; `profile` for a profile of `.databrickscfg`. */
  readonly type: string;
  /**
   * - `used`: a login uses it
   * - `missing`: something that it needs is not there
   * - `skipped`: it was not asked for, because what is set is for another one
   */
  readonly outcome: "used" | "missing" | "skipped";
  readonly reason: string;
}

/** What became of the search for an identity. Exactly one of `auth`, `problem` and `failure` is there. */
export interface Selection {
  readonly auth?: WorkspaceAuth;
  readonly problem?: ConfigProblem;
  /** Of a program that was asked: what a login fails with. */
  readonly failure?: LakebaseError;
  /** Every identity that was looked for, in order. */
  readonly candidates: readonly AuthCandidate[];
  /** Whose values count beside the environment's. */
  readonly profile?: Profile | undefined;
}
