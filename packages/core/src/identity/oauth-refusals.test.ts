import { describe, expect, test } from "vitest";
import { fakeWorkspace, json } from "../../test/fake-workspace.ts";
import { type HttpSettings, sendRequest } from "../http.ts";
import type { WorkspaceRequest } from "../workspace-auth.ts";

function answered(body: object, status: number, headers: Record<string, string> = {}) {
  const workspace = fakeWorkspace();
  workspace.answers["/x"] = () => json(body, status, headers);
  const settings: HttpSettings = { ...workspace, userAgent: "test", extraCa: undefined };
  return (request: Partial<WorkspaceRequest> = {}) =>
    sendRequest(
      { method: "GET", url: "https://acme.cloud.databricks.com/x", ...request },
      { purpose: "test request", signal: new AbortController().signal, holdProcess: true },
      settings,
    );
}

describe("the word of a token endpoint", () => {
  test.each<[string, number, string, boolean]>([
    ["invalid_grant", 400, "UNAUTHENTICATED", false],
    ["invalid_client", 400, "UNAUTHENTICATED", false],
    ["invalid_client", 401, "UNAUTHENTICATED", false],
    ["unauthorized_client", 400, "PERMISSION_DENIED", false],
    ["invalid_scope", 400, "PERMISSION_DENIED", false],
    ["access_denied", 401, "PERMISSION_DENIED", false],
    ["invalid_target", 400, "PERMISSION_DENIED", false],
    ["temporarily_unavailable", 400, "UNAVAILABLE", true],
    ["invalid_request", 400, "BAD_REQUEST", false],
    ["constructor", 400, "BAD_REQUEST", false],
    ["invalid_grant", 503, "UNAVAILABLE", true],
    ["invalid_grant", 429, "RATE_LIMITED", true],
  ])("%s with status %i is %s", async (error, status, code, retryable) => {
    await expect(answered({ error, error_description: "prose with a secret" }, status)()).rejects.toMatchObject({
      code: `ERR_LAKEBASE_${code}`,
      retryable,
      message: expect.stringMatching(new RegExp(`\\(HTTP ${status}, ${error}\\)$`)),
    });
  });

  test("is explained by who asked, who is shown the answer and quotes none of it", async () => {
    const seen: unknown[] = [];
    const advice = (word: string, body: object) => {
      seen.push(word, body);
      return word === "invalid_grant" ? "sign in again" : undefined;
    };
    const body = { error: "invalid_grant", error_codes: [1] };
    await expect(answered(body, 400)({ advice })).rejects.toThrow(/failed: sign in again \(HTTP 400, invalid_grant\)$/);
    expect(seen).toEqual(["invalid_grant", body]);
    await expect(answered({}, 404)({ advice })).rejects.toThrow(/there is no such endpoint/);
    await expect(answered(body, 503)({ advice })).rejects.toThrow(/the service failed/);
  });
});

describe("a redirect", () => {
  const headers = { location: "https://login.example/tenant/oauth2/authorize" };

  test("is answered by its address where that is asked for, and not followed", async () => {
    expect(await answered({}, 302, headers)({ redirect: "answer" })).toMatchObject(headers);
  });

  test("is refused by everybody else, and where it leads nowhere", async () => {
    await expect(answered({}, 302, headers)()).rejects.toMatchObject({ code: "ERR_LAKEBASE_BAD_RESPONSE" });
    await expect(answered({}, 302)({ redirect: "answer" })).rejects.toMatchObject({
      code: "ERR_LAKEBASE_BAD_RESPONSE",
    });
  });
});
