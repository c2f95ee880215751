import type { TokenOffice } from "../../tokens.ts";
import type { Answer } from "../api-error.ts";

export interface TokenAnswerContext {
  tokens: TokenOffice;
  workspaceTokenLifeSeconds: number;
}

/** Issues a workspace token and answers it as RFC 6749, section 5.1 says. */
export async function answerToken(
  context: TokenAnswerContext,
  subject: string,
  scopes: readonly string[],
): Promise<{ tokenId: string; answer: Answer & { body: Record<string, unknown> } }> {
  const life = context.workspaceTokenLifeSeconds;
  const { token, issued } = await context.tokens.issue("workspace", subject, life, scopes);
  return {
    tokenId: issued.id,
    answer: {
      status: 200,
      body: { access_token: token, token_type: "Bearer", expires_in: life, scope: scopes.join(" ") },
      headers: { "cache-control": "no-store" },
    },
  };
}
