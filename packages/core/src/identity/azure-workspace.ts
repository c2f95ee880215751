import type { WorkspaceAuthContext, WorkspaceToken } from "../workspace-auth.ts";
import type { AzureOptions } from "./azure.ts";

/** One Azure: where it signs in, and whom a token for its management is for. */
export interface AzureCloud {
  readonly authorityHost: string;
  readonly management: string;
}

/**
 * The application id of Azure Databricks, the same in every Azure:
 * https://learn.microsoft.com/azure/databricks/dev-tools/auth/aad-token-manual
 */
export const databricksApplication = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/** https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud */
const clouds = {
  public: {
    authorityHost: "https://login.microsoftonline.com",
    management: "https://management.core.windows.net/",
  },
  usgovernment: {
    authorityHost: "https://login.microsoftonline.us",
    management: "https://management.core.usgovcloudapi.net/",
  },
  china: {
    authorityHost: "https://login.chinacloudapi.cn",
    management: "https://management.core.chinacloudapi.cn/",
  },
} satisfies Record<string, AzureCloud>;

/** The names of {@link AzureOptions}. */
export const azureOptionNames = ["azureResourceId", "azureCloud", "loginAppId"] as const;

/** The Azure that is named, or else that of the workspace. */
export function azureCloudOf({ azureCloud }: AzureOptions, workspaceHost: string): AzureCloud {
  if (azureCloud !== undefined) return clouds[azureCloud];
  const { hostname } = new URL(workspaceHost);
  if (hostname.endsWith(".databricks.azure.us")) return clouds.usgovernment;
  return hostname.endsWith(".databricks.azure.cn") ? clouds.china : clouds.public;
}

/** Whether somebody named an Azure that is none. */
export function isAzureCloud(name: unknown): boolean {
  return name === undefined || (typeof name === "string" && Object.hasOwn(clouds, name));
}

/**
 * A token for the workspace; beside it, where the workspace is named by its resource id, one for the management of Azure,
 * with which the workspace sees that the identity has a role on the resource.
 */
export async function azureToken(
  context: WorkspaceAuthContext,
  options: AzureOptions,
  tokenFor: (resource: string) => Promise<WorkspaceToken>,
): Promise<WorkspaceToken> {
  const { azureResourceId, loginAppId = databricksApplication } = options;
  if (azureResourceId === undefined) return tokenFor(loginAppId);
  const { management } = azureCloudOf(options, context.workspaceHost);
  const [own, managing] = await Promise.all([tokenFor(loginAppId), tokenFor(management)]);
  const lives = [own.lifetimeMs, managing.lifetimeMs].filter((life) => life !== undefined);
  return {
    token: own.token,
    lifetimeMs: lives.length > 0 ? Math.min(...lives) : undefined,
    headers: {
      "x-databricks-azure-workspace-resource-id": azureResourceId,
      "x-databricks-azure-sp-management-token": managing.token.reveal(),
    },
  };
}
