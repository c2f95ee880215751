import { randomBytes, randomUUID } from "node:crypto";
import type { TokenOffice } from "../../tokens.ts";
import { OAuthError } from "../api-error.ts";
import { answerToken } from "./token-answer.ts";

/** A person who has let an app in: everything that the app has got by it ends together. */
export interface SignIn {
  readonly id: string;
  readonly person: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** The authorization server that was asked. */
  readonly issuer: string;
  readonly nonce: string | undefined;
  /** Whether a refresh token is good once. */
  readonly rotates: boolean;
}

export interface SignIns {
  open(signIn: Omit<SignIn, "id">): SignIn;
  /** An access token with these scopes and, if the sign-in has `offline_access`, a refresh token: the first or, where they rotate, the next. */
  issue(signIn: SignIn, scopes?: readonly string[]): Promise<Awaited<ReturnType<typeof answerToken>>["answer"]>;
  /**
   * The sign-in of a refresh token, which is good once where they rotate.
   *
   * @throws OAuthError `invalid_grant`; when it was used before, everything of its sign-in is void from now on
   */
  redeem(refreshToken: string, clientId: string): SignIn;
  /** The sign-in of a refresh token, whatever has become of the token. */
  find(refreshToken: string): SignIn | undefined;
  /** Whether an access token came of a sign-in at this app. */
  owns(clientId: string, accessTokenId: string): boolean;
  /** Makes every token void that came of it. */
  end(signIn: SignIn): void;
  /** Ends every sign-in of a person. */
  endAll(person: string): number;
  secrets(): string[];
}

export interface SignInsOptions {
  tokens: TokenOffice;
  workspaceTokenLifeSeconds: number;
  now: () => number;
}

interface RefreshToken {
  signIn: SignIn;
  expiresAt: number;
  used: boolean;
}

/** How long an app may stay away. */
const REFRESH_TOKEN_LIFE_MS = 30 * 24 * 3600 * 1000;

export function createSignIns({ tokens, workspaceTokenLifeSeconds, now }: SignInsOptions): SignIns {
  const accessTokens = new Map<SignIn, string[]>();
  const refreshTokens = new Map<string, RefreshToken>();
  const refused = (why: string) => new OAuthError(400, "invalid_grant", why);

  function end(signIn: SignIn): void {
    for (const tokenId of accessTokens.get(signIn) ?? []) tokens.revoke(tokenId);
    accessTokens.delete(signIn);
  }

  return {
    open(options) {
      const signIn = { ...options, id: randomUUID() };
      accessTokens.set(signIn, []);
      return signIn;
    },
    async issue(signIn, scopes = signIn.scopes) {
      const { person, clientId, issuer, nonce } = signIn;
      // Taken before anything is awaited: who ends the sign-in meanwhile must not be outrun.
      const ids = accessTokens.get(signIn);
      const { tokenId, answer } = await answerToken({ tokens, workspaceTokenLifeSeconds }, person, scopes);
      ids?.push(tokenId);
      if (!ids || accessTokens.get(signIn) !== ids) {
        tokens.revoke(tokenId);
        throw refused("the sign-in has ended");
      }
      const body = { ...answer.body };
      if (signIn.scopes.includes("offline_access") && (signIn.rotates || ids.length === 1)) {
        const refreshToken = randomBytes(32).toString("base64url");
        refreshTokens.set(refreshToken, { signIn, expiresAt: now() + REFRESH_TOKEN_LIFE_MS, used: false });
        body.refresh_token = refreshToken;
      }
      if (scopes.includes("openid")) {
        body.id_token = await tokens.issueIdToken({
          issuer,
          audience: clientId,
          subject: person,
          lifeSeconds: workspaceTokenLifeSeconds,
          claims: { email: person, ...(nonce !== undefined && { nonce }) },
        });
      }
      return { ...answer, body };
    },
    redeem(text, clientId) {
      const refreshToken = refreshTokens.get(text);
      if (!refreshToken || refreshToken.signIn.clientId !== clientId) throw refused("Refresh token is invalid");
      const { signIn, expiresAt, used } = refreshToken;
      if (!accessTokens.has(signIn)) throw refused("Refresh token was revoked");
      if (used) {
        end(signIn);
        throw refused("Refresh token was used before; its sign-in has ended");
      }
      if (expiresAt <= now()) throw refused("Refresh token has expired");
      refreshToken.used = signIn.rotates;
      return signIn;
    },
    find: (text) => refreshTokens.get(text)?.signIn,
    owns: (clientId, accessTokenId) =>
      [...accessTokens].some(([signIn, ids]) => signIn.clientId === clientId && ids.includes(accessTokenId)),
    end,
    endAll(person) {
      const theirs = [...accessTokens.keys()].filter((signIn) => signIn.person === person);
      for (const signIn of theirs) end(signIn);
      return theirs.length;
    },
    secrets: () => [...refreshTokens.keys()],
  };
}
