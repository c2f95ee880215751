import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import { requireSecret } from "./required-secret.ts";
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

/**
 * {@link lazyAuth} for an identity that may be told which client it is, and is then that client's Postgres user.
 *
 * @param factory The name of the function that makes it; its kind is the same with hyphens.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the client is given and not set: that must not make somebody else of it.
 */
export function lazyClient<Options extends { clientId?: string }>(
  factory: string,
  options: Options,
  load: () => Promise<{ createFlow(options: Options): AuthFlow }>,
): LazyAuth {
  const kind = factory.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const user =
    "clientId" in options ? requireSecret(options.clientId, `auth: ${factory}.clientId`).reveal() : undefined;
  return lazyAuth(kind, async () => (await load()).createFlow(options), user);
}
