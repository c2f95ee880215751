import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { openStandIn, type StandInServer } from "./stand-in-server.ts";

/** GitHub's OIDC provider, for one job: signs tokens and publishes the key to verify them with. */
export interface GithubOidc extends StandInServer {
  readonly issuer: string;
  readonly subject: string;
  /** What GitHub sets in a job that says `permissions: { id-token: write }`. */
  readonly env: { readonly ACTIONS_ID_TOKEN_REQUEST_URL: string; readonly ACTIONS_ID_TOKEN_REQUEST_TOKEN: string };
  /** The public keys, as its `jwks_uri` has them. */
  keys(): { keys: { readonly [member: string]: unknown }[] };
  /** A token for this job, as the provider gives it. */
  issue(audience: string): string;
  /** How long the tokens live from their issue on, and how far its clock is off; seconds. */
  readonly tokens: { lifeSeconds: number; skewSeconds: number };
  readonly issued: readonly string[];
}

/** https://docs.github.com/en/actions/reference/security/oidc */
export async function openGithubOidc(now: () => number): Promise<GithubOidc> {
  const issuer = "https://token.actions.githubusercontent.com";
  const subject = "repo:acme/shop:environment:production";
  const requestToken = `request-token-${randomUUID()}`;
  const kid = randomUUID();
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const tokens = { lifeSeconds: 300, skewSeconds: 0 };
  const issued: string[] = [];

  const issue = (audience: string) => {
    const at = Math.floor(now() / 1000) + tokens.skewSeconds;
    const claims = { iss: issuer, sub: subject, aud: audience, jti: randomUUID(), repository: "acme/shop" };
    const times = { iat: at, nbf: at, exp: at + tokens.lifeSeconds };
    const text = [
      { alg: "RS256", kid, typ: "JWT" },
      { ...claims, ...times },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const token = `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
    issued.push(token);
    return token;
  };

  const standIn = await openStandIn(({ path, query, headers }) => {
    if (path !== "/token") return { status: 404, body: { message: "Not Found" } };
    if (headers.authorization !== `Bearer ${requestToken}`)
      return { status: 401, body: { message: "Bad credentials" } };
    const value = issue(query.get("audience") ?? "https://github.com/acme");
    return { status: 200, body: { count: value.length, value } };
  });

  return Object.assign(standIn, {
    issuer,
    subject,
    env: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${standIn.url}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
    },
    keys: () => ({ keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] }),
    issue,
    tokens,
    issued,
  });
}
