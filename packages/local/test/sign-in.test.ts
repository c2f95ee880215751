import { createPublicKey } from "node:crypto";
import { jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { authorizationRequest, codeForm, openPage, post, press, signIn } from "./browser.ts";
import { callWorkspace, credential, openClient } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

const me = (bearer: unknown) =>
  callWorkspace(lakebase, "/api/2.0/preview/scim/v2/Me", { headers: { authorization: `Bearer ${bearer}` } });
const refresh = (refreshToken: string | undefined, more: Record<string, string> = {}) =>
  post(lakebase, {
    grant_type: "refresh_token",
    refresh_token: String(refreshToken),
    client_id: "databricks-cli",
    ...more,
  });
const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;

describe("the consent page", () => {
  test("leads through a code to a token with which the person logs in", async () => {
    const attempt = authorizationRequest(lakebase);
    const page = await openPage(lakebase, attempt.url);
    expect(page).toMatchObject({ status: 200, headers: { "content-type": "text/html; charset=utf-8" } });
    const answer = await press(lakebase, page, "allow");
    expect(answer.status).toBe(303);
    const location = new URL(String(answer.headers.location));
    expect(location.origin).toBe("http://localhost:40123");
    expect(location.searchParams.get("state")).toBe(attempt.state);
    const { status, json, headers } = await post(lakebase, codeForm(attempt, location.href));
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("no-store");
    expect(json).toMatchObject({ token_type: "Bearer", expires_in: 3600, scope: "all-apis offline_access" });
    const { userName } = lakebase.user;
    const password = await credential(lakebase, String(json.access_token));
    const client = await openClient(lakebase, { user: userName, password });
    expect((await client.query("SELECT current_user::text AS me")).rows).toEqual([{ me: userName }]);
    await client.end();
  });

  test("names the app, what it wants in words, and everybody who may sign in", async () => {
    const app = lakebase.registerApp({ name: 'Tom & "Ann" <Shop>', redirectUris: ["https://shop.example.com/cb"] });
    const { text } = await openPage(
      lakebase,
      authorizationRequest(lakebase, {
        client_id: app.clientId,
        redirect_uri: "https://shop.example.com/cb",
        scope: "postgres offline_access",
        login_hint: lakebase.user.userName,
      }).url,
    );
    expect(text).toContain("Tom &#38; &#34;Ann&#34; &#60;Shop&#62;");
    expect(text).not.toContain("<Shop>");
    expect(text).toContain("Log in to Lakebase databases in your name");
    expect(text).toContain("Keep this access while you are away");
    expect(text).not.toContain("every API");
    expect(text).toContain(`<option selected>${lakebase.user.userName}</option>`);
  });

  test("runs nothing, is shown in no frame, and its form goes nowhere else", async () => {
    const { headers } = await openPage(lakebase, authorizationRequest(lakebase).url);
    expect(headers).toMatchObject({ "x-frame-options": "DENY", "x-content-type-options": "nosniff" });
    const policy = String(headers["content-security-policy"]);
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'nonce-[\w+/=]+'; form-action 'self' http:\/\/localhost:40123;/,
    );
    expect(policy).toContain("frame-ancestors 'none'; base-uri 'none'");
    const cookie = String(headers["set-cookie"]);
    for (const attribute of ["__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"]) {
      expect(cookie).toContain(attribute);
    }
  });

  test("tells the app when the person does not allow it", async () => {
    const attempt = authorizationRequest(lakebase);
    const { headers } = await press(lakebase, await openPage(lakebase, attempt.url), "deny");
    const { searchParams } = new URL(String(headers.location));
    expect(searchParams.get("error")).toBe("access_denied");
    expect(searchParams.get("state")).toBe(attempt.state);
    expect(searchParams.get("code")).toBeNull();
  });

  test.each<[string, Record<string, string | null>]>([
    ["an unknown client", { client_id: "unknown" }],
    ["no client", { client_id: null }],
    ["no redirect URI", { redirect_uri: null }],
    ["another redirect host", { redirect_uri: "https://evil.example.com/" }],
    ["another path on loopback", { redirect_uri: "http://localhost:40123/elsewhere" }],
    ["another name of the loopback", { redirect_uri: "http://127.0.0.1:40123" }],
    ["https on loopback", { redirect_uri: "https://localhost:40123" }],
    ["a name before the host", { redirect_uri: "http://localhost:1@evil.example.com" }],
    ["a fragment", { redirect_uri: "http://localhost:40123/#x" }],
  ])("sends nobody anywhere for %s", async (_name, changes) => {
    const page = await openPage(lakebase, authorizationRequest(lakebase, changes).url);
    expect(page.status).toBe(400);
    expect(page.headers).not.toHaveProperty("location");
    expect(page.text).toContain("Sign-in is not possible");
    expect(page.text).not.toContain("<form");
  });

  test("leaves the port open on loopback only", async () => {
    const app = lakebase.registerApp({ name: "Shop", redirectUris: ["https://a.example.com/cb", "http://[::1]:1/cb"] });
    const status = async (uri: string) =>
      (await openPage(lakebase, authorizationRequest(lakebase, { client_id: app.clientId, redirect_uri: uri }).url))
        .status;
    expect(await status("https://a.example.com/cb")).toBe(200);
    expect(await status("https://a.example.com:8443/cb")).toBe(400);
    expect(await status("http://[::1]:50000/cb")).toBe(200);
  });

  test("sends nobody anywhere for a parameter that is given twice", async () => {
    const { url } = authorizationRequest(lakebase);
    url.searchParams.append("redirect_uri", "https://evil.example.com/");
    expect(await openPage(lakebase, url)).toMatchObject({ status: 400, text: expect.stringMatching(/given twice/) });
  });

  test.each<[string, Record<string, string | null>, string]>([
    ["no PKCE", { code_challenge: null }, "invalid_request"],
    ["plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
    ["another response type", { response_type: "token" }, "unsupported_response_type"],
    ["an unknown scope", { scope: "all-apis everything" }, "invalid_scope"],
    ["no scope", { scope: null }, "invalid_scope"],
  ])("tells the app of %s", async (_name, changes, error) => {
    const attempt = authorizationRequest(lakebase, changes);
    const { status, headers } = await openPage(lakebase, attempt.url);
    expect(status).toBe(303);
    const { searchParams } = new URL(String(headers.location));
    expect(searchParams.get("error")).toBe(error);
    expect(searchParams.get("state")).toBe(attempt.state);
  });

  test("is answered once, in time, by the browser that has opened it, from its own site", async () => {
    const open = () => openPage(lakebase, authorizationRequest(lakebase).url);
    const [first, second] = [await open(), await open()];
    const evil = await press(lakebase, first, "allow", { headers: { origin: "https://evil.example.com" } });
    expect(evil.status).toBe(400);
    const cookie = String(second.headers["set-cookie"]).split(";")[0] ?? "";
    expect((await press(lakebase, first, "allow", { headers: { cookie } })).status).toBe(400);
    expect((await press(lakebase, first, "allow", { headers: { cookie: "" } })).status).toBe(400);
    expect((await press(lakebase, first, "allow", { person: "nobody@example.com" })).status).toBe(400);
    expect((await press(lakebase, first, "allow")).status).toBe(400);
    expect((await press(lakebase, second, "allow")).status).toBe(303);
    const late = await open();
    lakebase.clock.advance(600_001);
    expect((await press(lakebase, late, "allow")).status).toBe(400);
  });
});

describe("a code", () => {
  const approved = async (changes: Record<string, string | null> = {}) => {
    const attempt = authorizationRequest(lakebase, changes);
    const redirect = await lakebase.answerConsent(attempt.url, { person: lakebase.user.userName });
    return codeForm(attempt, redirect);
  };

  test.each([
    ["another verifier", { code_verifier: "x".repeat(43) }, "invalid_grant", /code_verifier/],
    ["another redirect URI", { redirect_uri: "http://localhost:1" }, "invalid_grant", /redirect_uri/],
    ["another code", { code: "unknown" }, "invalid_grant", /unknown/],
    ["no verifier", { code_verifier: "" }, "invalid_request", /code_verifier is required/],
  ])("is good for nothing with %s", async (_name, change, error, description) => {
    const reply = await post(lakebase, { ...(await approved()), ...change });
    expect(reply).toMatchObject({
      status: 400,
      json: { error, error_description: expect.stringMatching(description) },
    });
  });

  test("is used up by a wrong verifier", async () => {
    const form = await approved();
    await post(lakebase, { ...form, code_verifier: "x".repeat(43) });
    expect((await post(lakebase, form)).json.error).toBe("invalid_grant");
  });

  test("is good for the app that has asked, and not for another", async () => {
    const other = lakebase.registerApp({ name: "Other", redirectUris: ["http://localhost:1"] });
    const reply = await post(lakebase, { ...(await approved()), client_id: other.clientId });
    expect(reply.json).toMatchObject({ error: "invalid_grant", error_description: expect.stringMatching(/client/) });
    expect((await post(lakebase, { ...(await approved()), client_id: "unknown" })).status).toBe(401);
  });

  test("is good for a minute", async () => {
    const form = await approved();
    lakebase.clock.advance(60_001);
    expect((await post(lakebase, form)).json.error_description).toBe("the code has expired");
  });

  test("that comes twice takes back what it has given", async () => {
    const form = await approved();
    const { json } = await post(lakebase, form);
    expect((await me(json.access_token)).status).toBe(200);
    expect(await post(lakebase, form)).toMatchObject({ status: 400, json: { error: "invalid_grant" } });
    expect((await me(json.access_token)).status).toBe(401);
    expect((await refresh(json.refresh_token as string)).json.error).toBe("invalid_grant");
  });

  test("wants the secret of a confidential client, by header or form", async () => {
    const app = lakebase.registerApp({
      name: "Shop",
      redirectUris: ["https://shop.example.com/cb"],
      confidential: true,
      scopes: ["postgres", "offline_access"],
    });
    const changes = { client_id: app.clientId, redirect_uri: "https://shop.example.com/cb", scope: "postgres" };
    expect(await post(lakebase, await approved(changes))).toMatchObject({
      status: 401,
      json: { error: "invalid_client" },
    });
    const secret = String(app.clientSecret);
    const { client_id: _id, ...form } = await approved(changes);
    const byHeader = await post(lakebase, form, { authorization: basic(app.clientId, secret) });
    expect(byHeader).toMatchObject({ status: 200, json: { scope: "postgres" } });
    expect(byHeader.json).not.toHaveProperty("refresh_token");
    const byForm = await post(lakebase, { ...(await approved(changes)), client_secret: secret });
    expect(byForm.status).toBe(200);
    const wrong = await post(lakebase, { ...(await approved(changes)), client_secret: "wrong" });
    expect(wrong.status).toBe(401);
    const { url } = authorizationRequest(lakebase, { ...changes, scope: "all-apis" });
    expect(await lakebase.answerConsent(url, { person: lakebase.user.userName })).toContain("error=invalid_scope");
  });
});

describe("a refresh token", () => {
  test("is good once, and its successor after it", async () => {
    const first = await signIn(lakebase);
    const second = await refresh(first.refresh_token);
    expect(second).toMatchObject({ status: 200, json: { scope: "all-apis offline_access" } });
    expect(second.json.refresh_token).not.toBe(first.refresh_token);
    expect((await me(second.json.access_token)).json.userName).toBe(lakebase.user.userName);
    expect((await refresh(second.json.refresh_token as string)).status).toBe(200);
  });

  test("stays good and has no successor for an app whose tokens do not rotate", async () => {
    const app = lakebase.registerApp({
      name: "Old",
      redirectUris: ["http://localhost:1"],
      rotatesRefreshTokens: false,
    });
    const { refresh_token: token } = await signIn(lakebase, { client_id: app.clientId });
    for (let n = 0; n < 2; n += 1) {
      const { status, json } = await refresh(token, { client_id: app.clientId });
      expect(status).toBe(200);
      expect(json).not.toHaveProperty("refresh_token");
      expect((await me(json.access_token)).status).toBe(200);
    }
  });

  test("that comes twice ends its sign-in, and no other", async () => {
    const [other, first] = [await signIn(lakebase), await signIn(lakebase)];
    const second = await refresh(first.refresh_token);
    expect((await refresh(first.refresh_token)).json).toMatchObject({
      error: "invalid_grant",
      error_description: expect.stringMatching(/used before/),
    });
    expect((await refresh(second.json.refresh_token as string)).json.error).toBe("invalid_grant");
    expect((await me(second.json.access_token)).status).toBe(401);
    expect((await me(other.access_token)).status).toBe(200);
    expect((await refresh(other.refresh_token)).status).toBe(200);
  });

  test("gives fewer scopes when asked, never more, and is not used up by asking", async () => {
    const { refresh_token: token } = await signIn(lakebase, { scope: "postgres iam.current-user:read offline_access" });
    expect((await refresh(token, { scope: "all-apis" })).json.error).toBe("invalid_scope");
    const narrow = await refresh(token, { scope: "iam.current-user:read" });
    expect(narrow.json.scope).toBe("iam.current-user:read");
    const wide = await refresh(narrow.json.refresh_token as string);
    expect(wide.json.scope).toBe("postgres iam.current-user:read offline_access");
  });

  test("is of no use to another client, nor when it is unknown, nor after a month", async () => {
    const other = lakebase.registerApp({ name: "Other", redirectUris: ["http://localhost:1"] });
    const { refresh_token: token } = await signIn(lakebase);
    expect((await refresh(token, { client_id: other.clientId })).json.error).toBe("invalid_grant");
    expect((await refresh("unknown")).json.error).toBe("invalid_grant");
    lakebase.clock.advance(31 * 24 * 3_600_000);
    expect((await refresh(token)).json.error_description).toBe("Refresh token has expired");
  });

  test("ends at sign-out, with the access tokens of the person", async () => {
    const session = await signIn(lakebase);
    const [own, other] = await Promise.all(
      [lakebase.user.userName, lakebase.servicePrincipal.clientId].map((name) => lakebase.issueWorkspaceToken(name)),
    );
    expect(lakebase.signOut(lakebase.user.userName)).toBeGreaterThan(0);
    expect((await refresh(session.refresh_token)).json).toEqual({
      error: "invalid_grant",
      error_description: "Refresh token was revoked",
    });
    expect((await me(session.access_token)).status).toBe(401);
    expect((await me(own)).status).toBe(401);
    expect((await me(other)).status).toBe(200);
    expect(lakebase.signOut(lakebase.user.userName)).toBe(0);
  });

  test("can be given back by its app", async () => {
    const other = lakebase.registerApp({ name: "Other", redirectUris: ["http://localhost:1"] });
    const session = await signIn(lakebase);
    const revoke = (token: unknown, clientId = "databricks-cli") =>
      post(lakebase, { token: String(token), client_id: clientId }, { path: "/oidc/v1/revoke" });
    expect((await revoke(session.refresh_token, other.clientId)).status).toBe(200);
    expect((await revoke(session.access_token, other.clientId)).status).toBe(200);
    expect((await me(session.access_token)).status).toBe(200);
    expect((await revoke(session.access_token)).status).toBe(200);
    expect((await me(session.access_token)).status).toBe(401);
    const { json } = await refresh(session.refresh_token);
    expect((await revoke(json.refresh_token)).status).toBe(200);
    expect((await me(json.access_token)).status).toBe(401);
    expect((await refresh(json.refresh_token as string)).json.error).toBe("invalid_grant");
    expect((await revoke("x", "unknown")).status).toBe(401);
  });
});

test("says in an ID token who has signed in, signed with the published key", async () => {
  const { id_token: idToken } = await signIn(lakebase, { scope: "openid postgres", nonce: "n-1" });
  const { json: server } = await callWorkspace(lakebase, "/oidc/.well-known/oauth-authorization-server");
  const { json: keys } = await callWorkspace(lakebase, new URL(String(server.jwks_uri)).pathname);
  const [key] = keys.keys as Record<string, string>[];
  const { payload } = await jwtVerify(String(idToken), createPublicKey({ key: key ?? {}, format: "jwk" }), {
    issuer: String(server.issuer),
    audience: "databricks-cli",
    currentDate: new Date(lakebase.clock.now()),
  });
  expect(payload).toMatchObject({ sub: lakebase.user.userName, email: lakebase.user.userName, nonce: "n-1" });
  expect(await signIn(lakebase)).not.toHaveProperty("id_token");
});

test("signs in at the authorization server of the account too", async () => {
  const path = `/oidc/accounts/${lakebase.accountId}/v1`;
  const attempt = authorizationRequest(lakebase, { scope: "openid all-apis" });
  attempt.url.pathname = `${path}/authorize`;
  expect((await openPage(lakebase, attempt.url)).status).toBe(200);
  const redirect = await lakebase.answerConsent(attempt.url, { person: lakebase.user.userName });
  const { json } = await post(lakebase, codeForm(attempt, redirect), { path: `${path}/token` });
  const claims = JSON.parse(Buffer.from(String(json.id_token).split(".")[1] ?? "", "base64url").toString());
  expect(claims.iss).toBe(`${lakebase.workspaceUrl}/oidc/accounts/${lakebase.accountId}`);
});

test("answers the consent page without a browser, with the words of the page when it leads nowhere", async () => {
  const person = lakebase.user.userName;
  const attempt = authorizationRequest(lakebase);
  const denied = await lakebase.answerConsent(attempt.url, { person, allow: false });
  expect(new URL(denied).searchParams.get("error")).toBe("access_denied");
  const untrusted = authorizationRequest(lakebase, { client_id: "unknown" });
  await expect(lakebase.answerConsent(untrusted.url, { person })).rejects.toThrow(/client_id/);
  await expect(lakebase.answerConsent(attempt.url, { person: "nobody" })).rejects.toThrow(/Nobody/);
  await expect(lakebase.answerConsent("https://x.example.com/", { person })).rejects.toThrow(TypeError);
});

test.each([
  ["http elsewhere", { redirectUris: ["http://shop.example.com/cb"] }],
  ["a fragment", { redirectUris: ["https://shop.example.com/#cb"] }],
  ["no URL", { redirectUris: ["/cb"] }],
  ["an unknown scope", { redirectUris: [], scopes: ["everything"] }],
])("registers no app with %s", (_name, options) => {
  expect(() => lakebase.registerApp({ name: "Shop", ...options })).toThrow(TypeError);
});

test("keeps codes, verifiers, cookies, refresh tokens and client secrets out of the records", async () => {
  const app = lakebase.registerApp({ name: "Shop", redirectUris: ["http://localhost:1"], confidential: true });
  const attempt = authorizationRequest(lakebase, { client_id: app.clientId, redirect_uri: "http://localhost:1" });
  const answer = await press(lakebase, await openPage(lakebase, attempt.url), "allow");
  const form = codeForm(attempt, String(answer.headers.location));
  const { json } = await post(lakebase, { ...form, client_secret: String(app.clientSecret) });
  await post(
    lakebase,
    { grant_type: "refresh_token", refresh_token: String(json.refresh_token) },
    { authorization: basic(app.clientId, String(app.clientSecret)) },
  );
  const secrets = lakebase.secrets();
  expect(secrets).toEqual(expect.arrayContaining([form.code, json.access_token, json.refresh_token, app.clientSecret]));
  const everything = JSON.stringify(lakebase.requests);
  expect(everything).toContain("code=[redacted]");
  expect(everything).not.toContain(attempt.verifier);
  expect(secrets.filter((secret) => everything.includes(secret))).toEqual([]);
});
