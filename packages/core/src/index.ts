export { formatApplicationName, type PartnerApplicationName } from "./application-name.ts";
export type { Clock } from "./clock.ts";
export { type DetectionQuery, detectLakebase, type LakebaseDetection } from "./detect.ts";
export { findLakebaseError, isLakebaseError } from "./error-chain.ts";
export {
  type ConfigProblem,
  configError,
  LakebaseError,
  type LakebaseErrorCode,
  type LakebaseErrorDetails,
} from "./errors.ts";
export { type LakebaseEvent, lakebaseChannelName } from "./events.ts";
export type { ConnectionSettings, Credential, LakebaseHealth } from "./handle.ts";
export { isLakebaseHost, type LakebaseHost, parseLakebaseHost } from "./host.ts";
export { accessToken } from "./identity/access-token.ts";
export {
  type AzureClientSecretOptions,
  type AzureManagedIdentityOptions,
  type AzureOptions,
  azureClientSecret,
  azureManagedIdentity,
} from "./identity/azure.ts";
export { type AzureCliOptions, azureCli } from "./identity/azure-cli.ts";
export { type ClientCredentialsOptions, clientCredentials } from "./identity/client-credentials.ts";
export { type ConfigProfileOptions, configProfile } from "./identity/config-profile.ts";
export { type DatabricksCliOptions, databricksCli } from "./identity/databricks-cli.ts";
export { explainAuth } from "./identity/explain-auth.ts";
export type { AuthExplanation } from "./identity/explanation.ts";
export type { OAuthDiscoveryOptions } from "./identity/oauth-endpoints.ts";
export {
  type EnvironmentOidcOptions,
  environmentOidc,
  type FileOidcOptions,
  fileOidc,
  type GithubOidcOptions,
  githubOidc,
} from "./identity/oidc.ts";
export { personalAccessToken } from "./identity/personal-access-token.ts";
export type { AuthCandidate } from "./identity/selection.ts";
export { type FederationOptions, type TokenExchangeOptions, tokenExchange } from "./identity/token-exchange.ts";
export { type UserSession, userSession } from "./identity/user-session.ts";
export type { AuthorizationRequest, SignedIn } from "./identity/user-session-flow.ts";
export type { LoopbackOptions } from "./identity/user-session-loopback.ts";
export type { KeptSignIn } from "./identity/user-session-oauth.ts";
export type { UserSessionOptions } from "./identity/user-session-options.ts";
export type { StoredSession, TokenStore } from "./identity/user-session-store.ts";
export { type SdkWorkspaceClient, workspaceClient } from "./identity/workspace-client.ts";
export { createLakebase, type Lakebase } from "./lakebase.ts";
export { isLoginRejected } from "./login-errors.ts";
export type { Claim, LakebaseOptions, PoolScope } from "./options.ts";
export type { Secret } from "./secret.ts";
export type { VerifiedTls } from "./tls.ts";
export type { LakebaseUsersHealth } from "./users/people.ts";
export { createLakebaseUsers, type LakebaseUsers, type LakebaseUsersOptions, type UserRequest } from "./users.ts";
export type {
  WorkspaceAuth,
  WorkspaceAuthContext,
  WorkspaceAuthSurroundings,
  WorkspaceRequest,
  WorkspaceResponse,
  WorkspaceToken,
} from "./workspace-auth.ts";
