import { configError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { WorkspaceAuthContext } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import type { ClientCredentialsOptions } from "./client-credentials.ts";
import { refuseUnknownOptions } from "./known-options.ts";
import { discoveryOptionNames, rememberEndpoints } from "./oauth-endpoints.ts";
import { isScopeList } from "./scopes.ts";
import { requestToken } from "./token-request.ts";

/** The calls of the client credentials grant (RFC 6749 section 4.4). The token endpoint is looked up once. */
export function createFlow(options: ClientCredentialsOptions & { readonly clientSecret: Secret }): AuthFlow {
  const { clientId, clientSecret, scopes = ["all-apis"] } = options;
  refuseUnknownOptions("clientCredentials", options, ["clientId", "clientSecret", "scopes", ...discoveryOptionNames]);
  if (!isScopeList(scopes)) {
    throw configError([{ option: "auth: clientCredentials.scopes", message: "must be a list of scopes" }]);
  }
  const authorization = `Basic ${Buffer.from(`${formEncode(clientId)}:${formEncode(clientSecret.reveal())}`).toString("base64")}`;
  const endpointsOf = rememberEndpoints(options);
  const getToken = async (context: WorkspaceAuthContext) => {
    const { tokenEndpoint, headers } = await endpointsOf(context);
    const form = { grant_type: "client_credentials", scope: scopes.join(" ") };
    return { ...(await requestToken(context, tokenEndpoint, form, { authorization })), headers };
  };
  return { getToken };
}

/** RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined. */
function formEncode(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}
