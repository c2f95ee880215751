import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import type { Selection } from "./selection.ts";

/** What an identity does once it is used. */
export interface AuthFlow extends Pick<WorkspaceAuth, "getToken" | "workspaceHost"> {
  /** How it came to be the identity that it is, where it had a choice. */
  select?(surroundings: WorkspaceAuthSurroundings): Promise<Selection>;
}

/** An identity with its working half within reach. */
export interface LazyAuth extends WorkspaceAuth {
  flow(): Promise<AuthFlow>;
}

/**
 * An identity whose working half is loaded by its first use, so that importing the package costs nothing for those that
 * are not used.
 */
export function lazyAuth(kind: string, load: () => Promise<AuthFlow>, user?: string): LazyAuth {
  let loading: Promise<AuthFlow> | undefined;
  const flow = () => {
    loading ??= load();
    return loading;
  };
  return {
    kind,
    user,
    flow,
    workspaceHost: async (surroundings) => (await flow()).workspaceHost?.(surroundings),
    getToken: async (context) => (await flow()).getToken(context),
  };
}
