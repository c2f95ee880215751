export type { LocalClock } from "./clock.ts";
export type { WakingBehaviour } from "./compute.ts";
export type { Person, ServicePrincipal } from "./directory.ts";
export type { Surrounding } from "./environments.ts";
export type { FaultHandle } from "./fault-list.ts";
export type { LoginFault, LoginPhase } from "./front/login-faults.ts";
export type { ConnectionCounts, LoginRecord } from "./front/login-record.ts";
export type { Product } from "./host-names.ts";
export type { LocalIdentities } from "./identities.ts";
export type { SubjectTokenOptions } from "./identity-provider.ts";
export type { LocalFaults, LocalLakebase } from "./local-lakebase.ts";
export type { LocalLakebaseOptions } from "./options.ts";
export type { PostgresMajor } from "./postgres/binaries.ts";
export type { LocalResources } from "./resources.ts";
export type { CertificateFaultKind, TlsFault } from "./server-identity.ts";
export type { PublicJwk } from "./signing-keys.ts";
export { startLocalLakebase } from "./start.ts";
export type { IssuedToken, TokenKind } from "./tokens.ts";
export type { ApiFault } from "./workspace/api-faults.ts";
export type { OAuthApp, OAuthAppOptions } from "./workspace/oauth/oauth-apps.ts";
export type { IssuerKeys, TrustedIssuer, TrustHandle } from "./workspace/oauth/trusted-issuers.ts";
export type { Prohibition } from "./workspace/permissions.ts";
export type { Operation, RequestRecord } from "./workspace/request-record.ts";
export type {
  BranchOptions,
  EndpointOptions,
  InstanceOptions,
  LocalBranch,
  LocalEndpoint,
  LocalInstance,
  LocalProject,
  ProjectOptions,
} from "./workspace/resources/resource-options.ts";
