import type { WorkspaceAuthContext, WorkspaceRequest, WorkspaceToken } from "../workspace-auth.ts";
import { tokenFromAnswer } from "./token-answer.ts";

/** Posts a form to a token endpoint (RFC 6749 section 4) and reads the token of the answer. */
export async function requestToken(
  context: Pick<WorkspaceAuthContext, "request">,
  url: string,
  form: Readonly<Record<string, string>>,
  how: { readonly authorization?: string; readonly advice?: WorkspaceRequest["advice"] } = {},
): Promise<WorkspaceToken> {
  const { authorization, advice } = how;
  const { json } = await context.request("OAuth token request", {
    method: "POST",
    url,
    headers: { "content-type": "application/x-www-form-urlencoded", ...(authorization && { authorization }) },
    body: new URLSearchParams(form).toString(),
    ...(advice && { advice }),
  });
  return tokenFromAnswer(json);
}
