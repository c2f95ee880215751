import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import type { AuthKind, FlowOf, FlowOptions } from "./flows.ts";
import { requireSecret } from "./required.ts";
import type { Selection } from "./selection.ts";

/** What an identity does once it is used. */
export interface AuthFlow extends Pick<WorkspaceAuth, "getToken" | "workspaceHost"> {
  /** How it came to be the identity that it is, where it had a choice. */
  select?(surroundings: WorkspaceAuthSurroundings): Promise<Selection>;
}

/** An identity with its working half within reach. */
export interface LazyAuth<Kind extends AuthKind = AuthKind> extends WorkspaceAuth {
  flow(): Promise<FlowOf<Kind>>;
}

/**
 * An identity whose working half is loaded by its first use, so that importing the package costs nothing for those that
 * are not used.
 */
export function lazyAuth<Kind extends AuthKind>(kind: Kind, options: FlowOptions<Kind>, user?: string): LazyAuth<Kind> {
  let loading: Promise<FlowOf<Kind>> | undefined;
  const flow = () => {
    loading ??= import("./flows.ts").then((module) => module.createFlow(kind, options));
    return loading;
  };
  const loaded: () => Promise<AuthFlow> = flow;
  return {
    kind,
    user,
    flow,
    workspaceHost: async (surroundings) => (await loaded()).workspaceHost?.(surroundings),
    getToken: async (context) => (await loaded()).getToken(context),
  };
}

/**
 * {@link lazyAuth} for an identity that may be told which client it is, and is then that client's Postgres user.
 *
 * @param factory The name of the function that makes it.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the client is given and not set: that must not make somebody else of it.
 */
export function lazyClient<Kind extends AuthKind>(
  kind: Kind,
  factory: string,
  options: FlowOptions<Kind> & { readonly clientId?: string | undefined },
): LazyAuth<Kind> {
  if (!("clientId" in options)) return lazyAuth(kind, options);
  const clientId = requireSecret(options.clientId, `auth: ${factory}.clientId`).reveal();
  return lazyAuth(kind, { ...options, clientId }, clientId);
}
