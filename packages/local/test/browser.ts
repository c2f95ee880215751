import { createHash, randomBytes } from "node:crypto";
import type { LocalLakebase } from "../src/index.ts";
import { callWorkspace, type Reply } from "./clients.ts";

/** What an app sends a person to sign in with, and what it keeps for itself. */
export interface Attempt {
  url: URL;
  verifier: string;
  state: string;
}

/** An authorization request as the Databricks CLI makes it, with changes; `null` leaves a parameter out. */
export function authorizationRequest(lakebase: LocalLakebase, changes: Record<string, string | null> = {}): Attempt {
  const verifier = randomBytes(32).toString("base64url");
  const state = `s p&c=e/${randomBytes(4).toString("hex")}`;
  const url = new URL(`${lakebase.workspaceUrl}/oidc/v1/authorize`);
  const parameters = {
    response_type: "code",
    client_id: "databricks-cli",
    redirect_uri: "http://localhost:40123",
    scope: "all-apis offline_access",
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...changes,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(name, value);
  return { url, verifier, state };
}

export const openPage = (lakebase: LocalLakebase, url: URL): Promise<Reply> =>
  callWorkspace(lakebase, url.pathname + url.search);

/** Presses a button of a consent page, as a browser does that runs no scripts. */
export function press(
  lakebase: LocalLakebase,
  page: Reply,
  decision: "allow" | "deny",
  { person = lakebase.user.userName, headers = {} }: { person?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const consent = /name="consent" value="([^"]+)"/.exec(page.text)?.[1] ?? "";
  const cookie = String(page.headers["set-cookie"]).split(";")[0] ?? "";
  return callWorkspace(lakebase, "/oidc/v1/authorize", {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      origin: lakebase.workspaceUrl,
      cookie,
      ...headers,
    },
    body: new URLSearchParams({ consent, person, decision }).toString(),
  });
}

/** Posts a form to the token endpoint, or to another. */
export function post(
  lakebase: LocalLakebase,
  form: Record<string, string>,
  { authorization, path = "/oidc/v1/token" }: { authorization?: string; path?: string } = {},
): Promise<Reply> {
  return callWorkspace(lakebase, path, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...(authorization && { authorization }) },
    body: new URLSearchParams(form).toString(),
  });
}

/** The form that turns a code into tokens. */
export function codeForm(attempt: Attempt, location: string): Record<string, string> {
  return {
    grant_type: "authorization_code",
    code: new URL(location).searchParams.get("code") ?? "",
    code_verifier: attempt.verifier,
    redirect_uri: attempt.url.searchParams.get("redirect_uri") ?? "",
    client_id: attempt.url.searchParams.get("client_id") ?? "",
  };
}

/** A whole sign-in: the answer of the token endpoint. */
export async function signIn(lakebase: LocalLakebase, changes: Record<string, string | null> = {}) {
  const attempt = authorizationRequest(lakebase, changes);
  const redirect = await lakebase.answerConsent(attempt.url, { person: lakebase.user.userName });
  return (await post(lakebase, codeForm(attempt, redirect))).json as Record<string, string>;
}
