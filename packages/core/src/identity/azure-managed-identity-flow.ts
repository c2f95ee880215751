import { configError, LakebaseError } from "../errors.ts";
import { lifetimeFrom } from "../expiry.ts";
import { createSecret } from "../secret.ts";
import type { WorkspaceAuthContext, WorkspaceRequest, WorkspaceToken } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import type { AzureManagedIdentityOptions } from "./azure.ts";
import { azureOptionNames, azureToken, isAzureCloud } from "./azure-workspace.ts";
import { refuseUnknownOptions } from "./known-options.ts";
import { isTokenText } from "./token-answer.ts";

/**
 * Asks the machine's own metadata service.
 * https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 * https://learn.microsoft.com/azure/app-service/overview-managed-identity
 */
export function createFlow(options: AzureManagedIdentityOptions): AuthFlow {
  refuseUnknownOptions("azureManagedIdentity", options, ["clientId", "endpoint", ...azureOptionNames]);
  if (!isAzureCloud(options.azureCloud)) throw problemWith("azureCloud", 'must be "public", "usgovernment" or "china"');
  const { clientId } = options;
  return {
    getToken: (context) =>
      azureToken(context, options, async (resource) => {
        const { url, headers } = metadataService(context, options.endpoint);
        url.searchParams.set("resource", resource);
        if (clientId !== undefined) url.searchParams.set("client_id", clientId);
        const requestedAt = context.now();
        const { json, serverNow } = await context.request("managed identity token request", {
          method: "GET",
          url: url.href,
          headers,
          plainHttp: true,
          advice: adviceFor(clientId),
        });
        return readToken(json, requestedAt, serverNow);
      }),
  };
}

/** App Service and its kin name their own by two variables; every other machine has the one on its link. */
function metadataService(context: WorkspaceAuthContext, endpoint: string | undefined) {
  const own = context.variable("IDENTITY_ENDPOINT");
  const key = context.variable("IDENTITY_HEADER");
  if (endpoint === undefined && own !== undefined && key !== undefined && URL.canParse(own)) {
    return { url: withVersion(own, "2019-08-01"), headers: { "x-identity-header": key } };
  }
  const address = endpoint ?? "http://169.254.169.254/metadata/identity/oauth2/token";
  if (!URL.canParse(address)) throw problemWith("endpoint", "must be an address");
  return { url: withVersion(address, "2018-02-01"), headers: { metadata: "true" } };
}

function withVersion(address: string, version: string): URL {
  const url = new URL(address);
  url.searchParams.set("api-version", version);
  return url;
}

/** The service keeps its tokens, so when they end counts, and not how long they live. */
function readToken(
  json: Readonly<Record<string, unknown>>,
  requestedAt: number,
  serverNow: number | undefined,
): WorkspaceToken {
  if (!isTokenText(json.access_token)) {
    throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", "managed identity token request: the answer holds no token");
  }
  // A number or a string, depending on the service.
  const endsAt = Number(json.expires_on ?? Number.NaN) * 1000;
  return {
    token: createSecret(json.access_token),
    lifetimeMs: Number.isFinite(endsAt) ? lifetimeFrom(endsAt, requestedAt, serverNow) : undefined,
  };
}

function adviceFor(clientId: string | undefined): NonNullable<WorkspaceRequest["advice"]> {
  const which =
    clientId === undefined
      ? "is one assigned to this machine? Where there are several, name one by `clientId`"
      : `is the one with the client id ${clientId} assigned to this machine?`;
  return () => `the machine has no such managed identity: ${which}`;
}

function problemWith(option: string, message: string): LakebaseError {
  return configError([{ option: `auth: azureManagedIdentity.${option}`, message }]);
}
