import { randomUUID } from "node:crypto";
import { openStandIn, type StandInAnswer, type StandInServer } from "./stand-in-server.ts";

/** Microsoft Entra, for one application of one tenant. */
export interface Entra extends StandInServer {
  readonly tenantId: string;
  readonly clientId: string;
  /** The value of the application's secret; change it to rotate the secret. */
  clientSecret: string;
  /** The secret has ended. */
  secretEnded: boolean;
  /** Tokens for the management of Azure that were given out. */
  readonly managementTokens: readonly string[];
}

const databricks = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/**
 * The token endpoint v1 of Entra, as Databricks' own SDKs use it.
 *
 * @param issue Makes a token that the workspace takes.
 */
export async function openEntra(clientId: string, issue: () => Promise<string>): Promise<Entra> {
  const tenantId = randomUUID();
  const managementTokens: string[] = [];
  const application = { clientSecret: `entra-secret-${randomUUID()}`, secretEnded: false };
  const standIn = await openStandIn(async ({ method, path, body }) => {
    const [, tenant, ...route] = path.split("/");
    if (method !== "POST" || route.join("/") !== "oauth2/token") return { status: 404, body: "" };
    if (tenant !== tenantId) return refusal(400, "invalid_request", 90002, `Tenant '${tenant}' not found.`);
    const form = new URLSearchParams(body);
    const asked = form.get("client_id");
    if (asked !== clientId) {
      return refusal(400, "unauthorized_client", 700016, `Application '${asked}' was not found in the directory.`);
    }
    if (form.get("client_secret") !== entra.clientSecret) {
      return refusal(401, "invalid_client", 7000215, "Invalid client secret provided.");
    }
    if (entra.secretEnded)
      return refusal(401, "invalid_client", 7000222, "The provided client secret keys are expired.");
    const resource = form.get("resource");
    if (resource !== databricks && resource !== "https://management.core.windows.net/") {
      return refusal(400, "invalid_resource", 500011, `The resource principal named ${resource} was not found.`);
    }
    const token = resource === databricks ? await issue() : `management-${randomUUID()}`;
    if (resource !== databricks) managementTokens.push(token);
    // The older of Entra's endpoints sends every number as a text.
    const times = { expires_in: "3599", ext_expires_in: "3599" };
    return { status: 200, body: { token_type: "Bearer", ...times, resource, access_token: token } };
  });
  const entra: Entra = Object.assign(standIn, { tenantId, clientId, managementTokens }, application);
  return entra;
}

/** https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
function refusal(status: number, error: string, code: number, prose: string): StandInAnswer {
  return { status, body: { error, error_description: `AADSTS${code}: ${prose}`, error_codes: [code] } };
}
