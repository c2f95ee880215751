import type { WorkspaceAuth } from "../workspace-auth.ts";

/** What an identity does once it is used. */
export type AuthFlow = Pick<WorkspaceAuth, "getToken" | "workspaceHost">;

/**
 * An identity whose working half is loaded by its first use, so that importing the package costs nothing for those that
 * are not used.
 */
export function lazyAuth(kind: string, load: () => Promise<AuthFlow>, user?: string): WorkspaceAuth {
  let flow: Promise<AuthFlow> | undefined;
  const loaded = () => {
    flow ??= load();
    return flow;
  };
  return {
    kind,
    user,
    workspaceHost: async () => (await loaded()).workspaceHost?.(),
    getToken: async (context) => (await loaded()).getToken(context),
  };
}
