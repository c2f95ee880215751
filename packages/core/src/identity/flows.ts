import type { AuthFlow } from "./lazy-auth.ts";

/** What each identity does once it is used, by its kind. Each is a file of its own, loaded when it is that one's turn. */
const flows = {
  "access-token": () => import("./access-token-flow.ts"),
  "azure-cli": () => import("./azure-cli-flow.ts"),
  "azure-client-secret": () => import("./azure-client-secret-flow.ts"),
  "azure-managed-identity": () => import("./azure-managed-identity-flow.ts"),
  "client-credentials": () => import("./client-credentials-flow.ts"),
  "config-profile": () => import("./config-profile-flow.ts"),
  "databricks-cli": () => import("./databricks-cli-flow.ts"),
  "environment-oidc": () => import("./environment-oidc-flow.ts"),
  "file-oidc": () => import("./file-oidc-flow.ts"),
  "github-oidc": () => import("./github-oidc-flow.ts"),
  "token-exchange": () => import("./token-exchange-flow.ts"),
  "user-session": () => import("./user-session-flow.ts"),
  "workspace-client": () => import("./workspace-client-flow.ts"),
};

export type AuthKind = keyof typeof flows;
type Room<Kind extends AuthKind> = Awaited<ReturnType<(typeof flows)[Kind]>>;
export type FlowOptions<Kind extends AuthKind> = Parameters<Room<Kind>["createFlow"]>[0];
export type FlowOf<Kind extends AuthKind> = ReturnType<Room<Kind>["createFlow"]>;

/** Loads and makes the working half of an identity. */
export async function createFlow<Kind extends AuthKind>(kind: Kind, options: FlowOptions<Kind>): Promise<FlowOf<Kind>> {
  const room = (await flows[kind]()) as unknown as { createFlow(options: FlowOptions<Kind>): AuthFlow };
  return room.createFlow(options) as FlowOf<Kind>;
}
