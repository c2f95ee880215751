import type { Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyClient } from "./lazy-auth.ts";
import { requireSecret } from "./required.ts";

/** What every identity of Microsoft Entra can be told. */
export interface AzureOptions {
  /**
   * Resource id of the workspace (`/subscriptions/…/workspaces/…`), for an identity that has a role on the resource and is
   * not a member of the workspace yet: `DATABRICKS_AZURE_RESOURCE_ID`.
   */
  azureResourceId?: string | undefined;
  /** Which Azure: `ARM_ENVIRONMENT`. Default: by the workspace's host name, else `"public"`. */
  azureCloud?: "public" | "usgovernment" | "china" | undefined;
  /** Application that the token is for: `DATABRICKS_AZURE_LOGIN_APP_ID`. Default: Azure Databricks. */
  loginAppId?: string | undefined;
}

/** Options of {@link azureClientSecret}. */
export interface AzureClientSecretOptions extends AzureOptions {
  /** Entra tenant, its id or domain: `ARM_TENANT_ID`. Default: as the workspace tells. */
  tenantId?: string | undefined;
  /** Application (client) id of the service principal, which is also its Postgres user: `ARM_CLIENT_ID`. */
  clientId: string;
  /** A secret of it, the value and not the id: `ARM_CLIENT_SECRET`. */
  clientSecret: string | Secret;
  /** `https://…` of the Entra login service: `AZURE_AUTHORITY_HOST`. Default: that of `azureCloud`. */
  authorityHost?: string | undefined;
}

/** Options of {@link azureManagedIdentity}. */
export interface AzureManagedIdentityOptions extends AzureOptions {
  /** Client id of a user-assigned identity, which is also its Postgres user. Default: the one that the machine has. */
  clientId?: string;
  /** Address of the metadata service's token route. Default: that of a virtual machine, or App Service's own. */
  endpoint?: string | undefined;
}

/**
 * A service principal of Microsoft Entra by its client secret, for Azure Databricks.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when id or secret is missing: an undefined secret is never a fallback.
 * @see https://learn.microsoft.com/azure/databricks/dev-tools/auth/azure-sp
 * @example
 * ```ts
 * import { azureClientSecret, createLakebase } from "@x/lakebase-core";
 *
 * export const connect = (tenantId: string, clientId: string, clientSecret: string) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://adb-1234567890123456.7.azuredatabricks.net",
 *     auth: azureClientSecret({ tenantId, clientId, clientSecret }),
 *   });
 * ```
 */
export function azureClientSecret(options: AzureClientSecretOptions): WorkspaceAuth {
  const clientSecret = requireSecret(options?.clientSecret, "auth: azureClientSecret.clientSecret");
  return lazyClient("azureClientSecret", {
    ...options,
    clientId: options.clientId,
    clientSecret,
  });
}

/**
 * The managed identity of an Azure machine: a virtual machine, a container on AKS, App Service, Functions, Container Apps.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when `clientId` is given and empty: it must not make somebody else of you.
 * @see https://learn.microsoft.com/azure/databricks/dev-tools/auth/azure-mi
 * @example
 * ```ts
 * import { azureManagedIdentity, createLakebase } from "@x/lakebase-core";
 *
 * export const lakebase = createLakebase({
 *   endpoint: "projects/shop/branches/production/endpoints/primary",
 *   workspaceHost: "https://adb-1234567890123456.7.azuredatabricks.net",
 *   auth: azureManagedIdentity(),
 * });
 * ```
 */
export function azureManagedIdentity(options: AzureManagedIdentityOptions = {}): WorkspaceAuth {
  return lazyClient("azureManagedIdentity", options);
}
