import { configError, LakebaseError } from "../errors.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { defaultAudience } from "./oauth-endpoints.ts";
import type { GithubOidcOptions } from "./oidc.ts";
import { exchangeFlow } from "./subject-token-flow.ts";
import { isTokenText } from "./token-answer.ts";

const grantIt = "the job, or its workflow, must say `permissions: { id-token: write }`";

/**
 * Exchanges a token that GitHub signs for this job.
 * https://docs.github.com/en/actions/reference/security/oidc
 */
export function createFlow(options: GithubOidcOptions): AuthFlow {
  const audiences = new Map<string, string>();
  return exchangeFlow("githubOidc", options, ["audience"], async (context, endpoints) => {
    const url = context.variable("ACTIONS_ID_TOKEN_REQUEST_URL");
    const token = context.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    if (url === undefined || !URL.canParse(url) || !isTokenText(token)) {
      throw configError([
        {
          option: "auth: githubOidc",
          variable: "ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN",
          message: `GitHub Actions has set no such pair: ${grantIt}; a pull request from a fork never has it`,
        },
      ]);
    }
    const audience =
      options.audience ?? audiences.get(context.workspaceHost) ?? (await defaultAudience(context, options, endpoints));
    audiences.set(context.workspaceHost, audience);
    const asked = new URL(url);
    asked.searchParams.set("audience", audience);
    const { json } = await context.request("GitHub OIDC token request", {
      method: "GET",
      url: asked.href,
      headers: { authorization: `Bearer ${token}` },
      advice: () => `GitHub gives this job no token: ${grantIt}, and the job must still be running`,
    });
    if (isTokenText(json.value)) return json.value;
    throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", "GitHub OIDC token request: the answer holds no token");
  });
}
