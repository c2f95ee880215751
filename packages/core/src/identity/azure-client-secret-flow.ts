import { configError, LakebaseError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { WorkspaceAuthContext, WorkspaceRequest } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import type { AzureClientSecretOptions } from "./azure.ts";
import { azureCloudOf, azureOptionNames, azureToken, isAzureCloud } from "./azure-workspace.ts";
import { refuseUnknownOptions } from "./known-options.ts";
import { requestToken } from "./token-request.ts";

/** The client credentials grant of Microsoft Entra. The tenant is looked up once for each workspace. */
export function createFlow(options: AzureClientSecretOptions & { readonly clientSecret: Secret }): AuthFlow {
  const { clientId, clientSecret, tenantId } = options;
  refuseUnknownOptions("azureClientSecret", options, [
    "clientId",
    "clientSecret",
    "tenantId",
    "authorityHost",
    ...azureOptionNames,
  ]);
  check(options);
  const tenants = new Map<string, string>();
  return {
    async getToken(context) {
      const { workspaceHost } = context;
      const tenant = tenantId ?? tenants.get(workspaceHost) ?? (await askForTenant(context));
      if (!/^[A-Za-z0-9.-]{1,100}$/.test(tenant)) throw problemWith("tenantId", "is no tenant id");
      tenants.set(workspaceHost, tenant);
      const authority = options.authorityHost ?? azureCloudOf(options, workspaceHost).authorityHost;
      const advice = adviceFor(clientId, tenant);
      return azureToken(context, options, (resource) =>
        requestToken(
          context,
          `${authority.replace(/\/+$/, "")}/${tenant}/oauth2/token`,
          { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret.reveal(), resource },
          { advice },
        ),
      );
    },
  };
}

function check({ authorityHost, azureCloud }: AzureClientSecretOptions): void {
  if (!isAzureCloud(azureCloud)) throw problemWith("azureCloud", 'must be "public", "usgovernment" or "china"');
  if (authorityHost !== undefined && !(URL.canParse(authorityHost) && new URL(authorityHost).protocol === "https:")) {
    throw problemWith("authorityHost", "must be https://…: the client secret is sent to it");
  }
}

function problemWith(option: string, message: string): LakebaseError {
  return configError([{ option: `auth: azureClientSecret.${option}`, message }]);
}

/** A workspace on Azure sends browsers to the login page of its tenant. Only the tenant is taken from there. */
async function askForTenant(context: WorkspaceAuthContext): Promise<string> {
  const { location } = await context.request("Azure tenant look-up", {
    method: "GET",
    url: `${context.workspaceHost}/aad/auth`,
    redirect: "answer",
    advice: () => notTold,
  });
  const tenant =
    location !== undefined && URL.canParse(location) ? new URL(location).pathname.split("/")[1] : undefined;
  if (tenant) return tenant;
  throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", `Azure tenant look-up at ${context.workspaceHost}: ${notTold}`);
}

const notTold = "the workspace does not tell its tenant; is it on Azure? Give `tenantId` (ARM_TENANT_ID)";

/** https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
function adviceFor(clientId: string, tenant: string): NonNullable<WorkspaceRequest["advice"]> {
  const meanings: Readonly<Record<number, string>> = {
    7000215: `the client secret of ${clientId} is not right; is it the secret's value, and not its id?`,
    7000222: `the client secret of ${clientId} has ended: make a new one in Microsoft Entra`,
    700016: `the application ${clientId} is not in the tenant ${tenant}: check \`clientId\` and \`tenantId\``,
    90002: `there is no tenant ${tenant}: check \`tenantId\``,
    900023: `there is no tenant ${tenant}: check \`tenantId\``,
  };
  return (_word, { error_codes: codes }) =>
    (Array.isArray(codes) ? codes : [])
      .map((code) => meanings[code as number])
      .find((meaning) => meaning !== undefined);
}
