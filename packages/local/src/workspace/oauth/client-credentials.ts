import type { Directory } from "../../directory.ts";
import { type Answer, OAuthError } from "../api-error.ts";
import { givenCredentials } from "./client-authentication.ts";
import { machineScopes, requestedScopes } from "./scopes.ts";
import { answerToken, type TokenAnswerContext } from "./token-answer.ts";
import type { TokenRequest } from "./token-endpoint.ts";

export interface ClientCredentialsContext extends TokenAnswerContext {
  directory: Directory;
}

/** `client_credentials`: a service principal gets its workspace token for its secret. */
export async function grantForClientCredentials(
  { form, authorization }: TokenRequest,
  context: ClientCredentialsContext,
): Promise<Answer> {
  const { clientId, clientSecret = "" } = givenCredentials(authorization, form);
  if (!context.directory.authenticateClient(clientId, clientSecret)) {
    throw new OAuthError(401, "invalid_client", "Client authentication failed");
  }
  const scopes = requestedScopes(form.get("scope"), machineScopes);
  const assigned = context.directory.scopesOf(clientId) ?? scopes;
  const missing = scopes.filter((scope) => !assigned.includes(scope));
  // https://github.com/databricks/databricks-sql-go/issues/476
  if (missing.length > 0) {
    throw new OAuthError(400, "access_denied", `Scopes '${missing.join(" ")}' are not assigned to the client`);
  }
  return (await answerToken(context, clientId, scopes)).answer;
}
