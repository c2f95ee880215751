import { configError } from "../errors.ts";
import type { AuthFlow } from "./auth-flow.ts";

/** What an identity does once it is used, by the function that makes it. Each is a file of its own, loaded in its turn. */
const flows = {
  accessToken: () => import("./access-token-flow.ts"),
  azureCli: () => import("./azure-cli-flow.ts"),
  azureClientSecret: () => import("./azure-client-secret-flow.ts"),
  azureManagedIdentity: () => import("./azure-managed-identity-flow.ts"),
  clientCredentials: () => import("./client-credentials-flow.ts"),
  configProfile: () => import("./config-profile-flow.ts"),
  databricksCli: () => import("./databricks-cli-flow.ts"),
  environmentOidc: () => import("./environment-oidc-flow.ts"),
  fileOidc: () => import("./file-oidc-flow.ts"),
  githubOidc: () => import("./github-oidc-flow.ts"),
  personalAccessToken: () => import("./personal-access-token-flow.ts"),
  tokenExchange: () => import("./token-exchange-flow.ts"),
  userSession: () => import("./user-session-flow.ts"),
  workspaceClient: () => import("./workspace-client-flow.ts"),
};

export type AuthFactory = keyof typeof flows;
type Room<Name extends AuthFactory> = Awaited<ReturnType<(typeof flows)[Name]>>;
export type FlowOptions<Name extends AuthFactory> = Parameters<Room<Name>["createFlow"]>[0];
export type FlowOf<Name extends AuthFactory> = ReturnType<Room<Name>["createFlow"]>;

/** Loads and makes the working half of an identity. @throws LakebaseError `ERR_LAKEBASE_CONFIG` for options that it cannot have */
export async function createFlow<Name extends AuthFactory>(
  name: Name,
  options: FlowOptions<Name>,
): Promise<FlowOf<Name>> {
  // An SDK's client is looked at by its own room.
  if (Object(options) !== options && name !== "workspaceClient") {
    throw configError([{ option: `auth: ${name}`, message: "must be given its options as an object" }]);
  }
  const room = (await flows[name]()) as unknown as { createFlow(options: FlowOptions<Name>): AuthFlow };
  return room.createFlow(options) as FlowOf<Name>;
}
