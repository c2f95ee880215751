import type { WorkspaceAuth } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import type { AuthFactory, FlowOf, FlowOptions } from "./flows.ts";
import { requireSecret } from "./required.ts";

/** An identity with its working half within reach. */
export interface LazyAuth<Name extends AuthFactory = AuthFactory> extends WorkspaceAuth {
  flow(): Promise<FlowOf<Name>>;
}

/**
 * An identity whose working half is loaded by its first use, so that importing the package costs nothing for those that
 * are not used.
 *
 * @param factory The function that makes it; its kind is the same with hyphens.
 */
export function lazyAuth<Name extends AuthFactory>(
  factory: Name,
  options: FlowOptions<Name>,
  user?: string,
): LazyAuth<Name> {
  let loading: Promise<FlowOf<Name>> | undefined;
  const flow = () => {
    loading ??= import("./flows.ts").then((module) => module.createFlow(factory, options));
    return loading;
  };
  return {
    kind: factory.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    user,
    flow,
    workspaceHost: async (surroundings) => ((await flow()) as AuthFlow).workspaceHost?.(surroundings),
    getToken: async (context) => ((await flow()) as AuthFlow).getToken(context),
  };
}

/**
 * {@link lazyAuth} for an identity that may be told which client it is, and is then that client's Postgres user.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the client is given and not set: that must not make somebody else of it.
 */
export function lazyClient<Name extends AuthFactory>(
  factory: Name,
  options: FlowOptions<Name> & { readonly clientId?: string | undefined },
): LazyAuth<Name> {
  if (!("clientId" in Object(options))) return lazyAuth(factory, options);
  const clientId = requireSecret(options.clientId, `auth: ${factory}.clientId`).reveal();
  return lazyAuth(factory, { ...options, clientId }, clientId);
}
