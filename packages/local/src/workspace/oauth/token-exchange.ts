import type { Directory } from "../../directory.ts";
import { type Answer, OAuthError } from "../api-error.ts";
import { machineScopes, requestedScopes } from "./scopes.ts";
import { answerToken, type TokenAnswerContext } from "./token-answer.ts";
import type { TokenRequest } from "./token-endpoint.ts";
import type { TrustedIssuers } from "./trusted-issuers.ts";

export interface TokenExchangeContext extends TokenAnswerContext {
  directory: Directory;
  issuers: TrustedIssuers;
}

const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";

/** The kinds of tokens that may be exchanged, and who each of them is. */
const subjectTokenTypes: Record<
  string,
  (token: string, clientId: string | null, context: TokenExchangeContext) => Promise<string>
> = {
  /** Token federation: a JWT of somebody else's identity provider. */
  "urn:ietf:params:oauth:token-type:jwt"(token, clientId, { directory, issuers }) {
    if (clientId !== null && !directory.isServicePrincipal(clientId)) {
      throw new OAuthError(401, "invalid_client", "client_id is no service principal of this account");
    }
    return issuers.identify(token, clientId ?? undefined);
  },
  async "urn:databricks:params:oauth:token-type:personal-access-token"(token, _clientId, { directory }) {
    const person = directory.personOf(token);
    if (!person) throw new OAuthError(400, "invalid_grant", "the personal access token is not valid");
    return person;
  },
};

/** `token-exchange` (RFC 8693): a token of another party becomes a workspace token. */
export async function grantForSubjectToken({ form }: TokenRequest, context: TokenExchangeContext): Promise<Answer> {
  const subjectToken = form.get("subject_token");
  if (!subjectToken) throw new OAuthError(400, "invalid_request", "subject_token is required");
  const type = form.get("subject_token_type") ?? "";
  const identify = Object.hasOwn(subjectTokenTypes, type) ? subjectTokenTypes[type] : undefined;
  if (!identify) {
    const known = Object.keys(subjectTokenTypes).join(", ");
    throw new OAuthError(400, "invalid_request", `subject_token_type must be one of ${known}`);
  }
  if ((form.get("requested_token_type") ?? ACCESS_TOKEN_TYPE) !== ACCESS_TOKEN_TYPE) {
    throw new OAuthError(400, "invalid_request", `requested_token_type must be ${ACCESS_TOKEN_TYPE}`);
  }
  const scopes = requestedScopes(form.get("scope"), machineScopes);
  const subject = await identify(subjectToken, form.get("client_id"), context);
  const { answer } = await answerToken(context, subject, scopes);
  return { ...answer, body: { ...answer.body, issued_token_type: ACCESS_TOKEN_TYPE } };
}
