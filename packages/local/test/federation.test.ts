import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { callWorkspace, credential, openClient } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT = "urn:ietf:params:oauth:token-type:jwt";

function exchange(fields: Record<string, string | undefined>, path = "/oidc/v1/token") {
  const form = { grant_type: TOKEN_EXCHANGE, subject_token_type: JWT, scope: "all-apis", ...fields };
  const given = Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return callWorkspace(lakebase, path, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(given).toString(),
  });
}
async function whoIs(accessToken: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${accessToken}` };
  return (await callWorkspace(lakebase, "/api/2.0/preview/scim/v2/Me", { headers })).json.userName;
}

test("gives a workspace token for a token of a trusted issuer, account-wide, with which the person logs in", async () => {
  const { userName } = lakebase.user;
  const { status, json } = await exchange({ subject_token: await lakebase.issueSubjectToken({ subject: userName }) });
  expect(status).toBe(200);
  expect(json).toMatchObject({
    token_type: "Bearer",
    expires_in: 3600,
    scope: "all-apis",
    issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
  });
  const password = await credential(lakebase, String(json.access_token));
  const client = await openClient(lakebase, { user: userName, password });
  expect((await client.query("SELECT current_user::text AS me")).rows).toEqual([{ me: userName }]);
  await client.end();
});

test("gives a service principal its token by the policy of that service principal", async () => {
  const { clientId } = await lakebase.addServicePrincipal({ role: false });
  const subjectToken = await lakebase.issueSubjectToken({ subject: clientId });
  const { json } = await exchange({ subject_token: subjectToken, client_id: clientId });
  expect(await whoIs(json.access_token)).toBe(clientId);
  const another = await exchange({ subject_token: subjectToken, client_id: lakebase.servicePrincipal.clientId });
  expect(another).toMatchObject({ status: 400, json: { error: "invalid_grant" } });
  expect(await exchange({ subject_token: subjectToken, client_id: "unknown" })).toMatchObject({
    status: 401,
    json: { error: "invalid_client" },
  });
});

test("trusts another issuer as long as its policy stands, for the subject that the policy names", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { clientId } = lakebase.servicePrincipal;
  const issue = (subject: string) =>
    new SignJWT()
      .setProtectedHeader({ alg: "ES256" })
      .setIssuer("https://token.actions.example.com")
      .setAudience("https://example.com/acme")
      .setSubject(subject)
      .setExpirationTime(new Date(lakebase.clock.now() + 60_000))
      .sign(privateKey);
  const trust = lakebase.trustIssuer({
    issuer: "https://token.actions.example.com",
    keys: publicKey.export({ type: "spki", format: "pem" }) as string,
    audiences: ["https://example.com/acme"],
    servicePrincipal: { clientId, subject: "repo:acme/shop:environment:prod" },
  });
  const subjectToken = await issue("repo:acme/shop:environment:prod");
  const { json } = await exchange({ subject_token: subjectToken, client_id: clientId });
  expect(await whoIs(json.access_token)).toBe(clientId);
  expect((await exchange({ subject_token: subjectToken })).json.error_description).toMatch(/no account-wide/);
  const other = await exchange({ subject_token: await issue("repo:acme/other"), client_id: clientId });
  expect(other.json).toMatchObject({ error: "invalid_grant", error_description: expect.stringMatching(/subject/) });
  trust.remove();
  expect((await exchange({ subject_token: subjectToken, client_id: clientId })).json.error).toBe("invalid_grant");
});

test("takes the keys of an issuer anew at each token, and another claim as the subject", async () => {
  const { userName } = lakebase.user;
  const pairs = [1, 2].map(() => generateKeyPairSync("rsa", { modulusLength: 2048 }));
  let current = 0;
  lakebase.trustIssuer({
    issuer: "https://rotating.example.com",
    keys: () => ({
      keys: [{ ...pairs[current]?.publicKey.export({ format: "jwk" }), kid: `key-${current}`, alg: "RS256" }],
    }),
    subjectClaim: "email",
  });
  const issue = (key: number) =>
    new SignJWT({ email: userName })
      .setProtectedHeader({ alg: "RS256", kid: `key-${key}` })
      .setIssuer("https://rotating.example.com")
      .setAudience(lakebase.accountId)
      .setSubject("4711")
      .setExpirationTime(new Date(lakebase.clock.now() + 60_000))
      .sign(pairs[key]?.privateKey as (typeof pairs)[0]["privateKey"]);
  expect(await whoIs((await exchange({ subject_token: await issue(0) })).json.access_token)).toBe(userName);
  const newer = await issue(1);
  expect((await exchange({ subject_token: newer })).json.error_description).toMatch(/signature/);
  current = 1;
  expect((await exchange({ subject_token: newer })).status).toBe(200);
});

const tampered = (token: string) => {
  const [header, , signature] = token.split(".");
  const claims = { iss: "https://identity-provider.example.com", sub: lakebase.user.userName, exp: 4e9 };
  return [header, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
};
test.each<[string, () => Promise<Record<string, string | undefined>>, string, RegExp]>([
  [
    "an expired token",
    async () => ({ subject_token: await lakebase.issueSubjectToken({ lifeSeconds: -1 }) }),
    "invalid_grant",
    /expired/,
  ],
  [
    "a token of tomorrow",
    async () => ({ subject_token: await lakebase.issueSubjectToken({ notBeforeSeconds: 60 }) }),
    "invalid_grant",
    /not valid yet/,
  ],
  [
    "another audience",
    async () => ({ subject_token: await lakebase.issueSubjectToken({ audience: "other" }) }),
    "invalid_grant",
    /aud/,
  ],
  [
    "another issuer",
    async () => ({ subject_token: await lakebase.issueSubjectToken({ issuer: "https://x.example.com" }) }),
    "invalid_grant",
    /issuer/,
  ],
  [
    "an unknown person",
    async () => ({ subject_token: await lakebase.issueSubjectToken({ subject: "nobody@example.com" }) }),
    "invalid_grant",
    /nobody/,
  ],
  [
    "a changed token",
    async () => ({ subject_token: tampered(await lakebase.issueSubjectToken()) }),
    "invalid_grant",
    /signature/,
  ],
  ["no JWT", async () => ({ subject_token: "garbage" }), "invalid_grant", /not a JWT/],
  ["no token", async () => ({}), "invalid_request", /subject_token is required/],
  [
    "no type",
    async () => ({ subject_token: "x", subject_token_type: undefined }),
    "invalid_request",
    /subject_token_type/,
  ],
  [
    "another kind of token as the result",
    async () => ({ subject_token: "x", requested_token_type: "urn:x" }),
    "invalid_request",
    /requested_token_type/,
  ],
  [
    "no scope",
    async () => ({ subject_token: await lakebase.issueSubjectToken(), scope: undefined }),
    "invalid_scope",
    /scope/,
  ],
])("refuses to exchange %s", async (_name, fields, error, description) => {
  const reply = await exchange(await fields());
  expect(reply).toMatchObject({ status: 400, json: { error, error_description: expect.stringMatching(description) } });
});

test("lets a subject token expire with the clock", async () => {
  const subjectToken = await lakebase.issueSubjectToken({ lifeSeconds: 60 });
  expect((await exchange({ subject_token: subjectToken })).status).toBe(200);
  lakebase.clock.advance(61_000);
  expect((await exchange({ subject_token: subjectToken })).json.error_description).toMatch(/expired/);
});

test("exchanges a personal access token", async () => {
  const { userName, personalAccessToken } = lakebase.user;
  const type = "urn:databricks:params:oauth:token-type:personal-access-token";
  const { json } = await exchange({ subject_token: personalAccessToken, subject_token_type: type });
  expect(await whoIs(json.access_token)).toBe(userName);
  const wrong = await exchange({ subject_token: "dapi0", subject_token_type: type });
  expect(wrong.json.error).toBe("invalid_grant");
});

test("refuses a parameter that is given twice", async () => {
  const reply = await callWorkspace(lakebase, "/oidc/v1/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: `grant_type=${TOKEN_EXCHANGE}&grant_type=client_credentials`,
  });
  expect(reply).toMatchObject({
    status: 400,
    json: { error: "invalid_request", error_description: "a parameter must not be given twice" },
  });
});

test("answers for the account too, and for no other account", async () => {
  const account = `/oidc/accounts/${lakebase.accountId}`;
  const server = await callWorkspace(lakebase, `${account}/.well-known/oauth-authorization-server`);
  expect(server.json).toMatchObject({
    issuer: `${lakebase.workspaceUrl}${account}`,
    token_endpoint: `${lakebase.workspaceUrl}${account}/v1/token`,
    grant_types_supported: expect.arrayContaining([TOKEN_EXCHANGE]),
  });
  const subjectToken = await lakebase.issueSubjectToken({ audience: lakebase.accountId });
  expect((await exchange({ subject_token: subjectToken }, `${account}/v1/token`)).status).toBe(200);
  expect((await exchange({ subject_token: subjectToken }, "/oidc/accounts/other/v1/token")).status).toBe(404);
  expect((await callWorkspace(lakebase, "/oidc/accounts/x/.well-known/oauth-authorization-server")).status).toBe(404);
});

test("says which audience a subject token should have", async () => {
  const { json } = await callWorkspace(lakebase, "/.well-known/databricks-config");
  expect(json).toEqual({
    oidc_endpoint: `${lakebase.workspaceUrl}/oidc`,
    account_id: lakebase.accountId,
    workspace_id: lakebase.workspaceId,
    host_type: "workspace",
    cloud: "AWS",
    token_federation_default_oidc_audiences: [`${lakebase.workspaceUrl}/oidc/v1/token`],
  });
});

test("keeps subject tokens out of the records", async () => {
  const subjectToken = await lakebase.issueSubjectToken();
  await exchange({ subject_token: subjectToken });
  expect(lakebase.requests.at(-1)?.body).toContain("subject_token=[redacted]");
  await callWorkspace(lakebase, `/api/2.0/elsewhere?subject_token=unknown-${subjectToken.slice(0, 20)}`);
  expect(lakebase.requests.at(-1)?.path).toBe("/api/2.0/elsewhere?subject_token=[redacted]");
  expect(lakebase.secrets()).toContain(subjectToken);
  expect(JSON.stringify(lakebase.requests)).not.toContain(subjectToken);
});

test("sends expires_in as a string while a fault says so", async () => {
  const fault = lakebase.faults.api({
    on: "token",
    times: 1,
    kind: "alter",
    change: (body) => ({ ...body, expires_in: String(body.expires_in) }),
  });
  const subjectToken = await lakebase.issueSubjectToken();
  expect((await exchange({ subject_token: subjectToken })).json.expires_in).toBe("3600");
  expect((await exchange({ subject_token: subjectToken })).json.expires_in).toBe(3600);
  expect(fault.hits).toBe(1);
});

test("refuses a token without the scope that an API wants", async () => {
  const { userName } = lakebase.user;
  const [bare, able] = await Promise.all([
    lakebase.issueWorkspaceToken(userName, { scopes: ["iam.current-user:read"] }),
    lakebase.issueWorkspaceToken(userName, { scopes: ["postgres"], lifeSeconds: 60 }),
  ]);
  const mint = (bearer: string) =>
    callWorkspace(lakebase, "/api/2.0/postgres/credentials", {
      method: "POST",
      headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
      body: JSON.stringify({ endpoint: lakebase.endpoint }),
    });
  expect(await mint(bare)).toMatchObject({
    status: 403,
    json: { error_code: "PERMISSION_DENIED", message: "Provided OAuth token does not have required scopes: postgres" },
  });
  expect(await whoIs(bare)).toBe(userName);
  expect((await mint(able)).status).toBe(200);
  expect(await whoIs(able)).toBeUndefined();
  lakebase.clock.advance(61_000);
  expect((await mint(able)).status).toBe(401);
  await expect(lakebase.issueWorkspaceToken("nobody@example.com")).rejects.toThrow(TypeError);
});
