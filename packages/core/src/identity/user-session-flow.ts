import { createHash, randomUUID } from "node:crypto";
import { isLakebaseError } from "../error-chain.ts";
import { configError, LakebaseError } from "../errors.ts";
import { userAgentOf } from "../http.ts";
import type { Secret } from "../secret.ts";
import { packageVersion } from "../version.ts";
import type { AuthFlow } from "./auth-flow.ts";
import type { LoopbackOptions } from "./user-session-loopback.ts";
import { createOAuthClient, type GrantedTokens, type KeptSignIn, workspaceHeader } from "./user-session-oauth.ts";
import { readUserSessionOptions, type UserSessionOptions } from "./user-session-options.ts";
import { openEntry, type Session } from "./user-session-store.ts";

/** What `createAuthorizationUrl()` gives: an address for the browser, and what to keep until it comes back. */
export interface AuthorizationRequest extends KeptSignIn {
  /** Redirect the browser here. Holds no secret. */
  readonly url: string;
}

/** Who has signed in. */
export interface SignedIn {
  /** By the workspace's word: an e-mail. `undefined` where the scopes do not let it be asked. */
  readonly user: string | undefined;
}

/** What a `userSession()` does beside being an identity. */
export interface UserSessionCalls {
  /**
   * Begins to sign somebody in. Keep `state`, `codeVerifier` and `redirectUri` on your side, in the session of this very
   * browser, for one use; and redirect it to `url`.
   *
   * @throws LakebaseError `ERR_LAKEBASE_CONFIG` where no `redirectUri` is given, or the code of a failed look-up of the
   * workspace's OAuth endpoints.
   */
  createAuthorizationUrl(options?: {
    /** In place of the session's. */
    redirectUri?: string | undefined;
  }): Promise<AuthorizationRequest>;
  /**
   * Ends it: takes what the browser brought back, gets tokens for it and puts them into the store.
   *
   * @param callback The address that the browser was sent to (`request.url` will do), or its parameters.
   * @param kept What was kept for this browser; `undefined` if there is nothing.
   * @throws LakebaseError `ERR_LAKEBASE_SIGN_IN_DENIED` when the person said no, `ERR_LAKEBASE_SIGN_IN_FAILED` when what came
   * back does not belong to what was kept, or is good no more.
   */
  exchangeAuthorizationCode(callback: string | URL | URLSearchParams, kept: KeptSignIn | undefined): Promise<SignedIn>;
  /**
   * The whole of it for a program without a web server: listens on 127.0.0.1 until the browser comes back. Opens nothing by
   * itself.
   *
   * @throws LakebaseError as the two above, `ERR_LAKEBASE_SIGN_IN_FAILED` also when nobody comes in time or the port is taken.
   */
  signInOnLoopback(options: LoopbackOptions): Promise<SignedIn>;
  /**
   * The person's workspace token, refreshed when it is due; for `createLakebaseUsers().for({ accessToken })` and the
   * workspace's other APIs.
   *
   * @throws LakebaseError `ERR_LAKEBASE_SIGN_IN_REQUIRED` when nobody is signed in any more.
   */
  accessToken(): Promise<{ readonly token: Secret; readonly expiresAt: Date }>;
  /**
   * Forgets the tokens, and gives the refresh token back where the workspace has a place for that. Sessions of Postgres that
   * are open stay open: end the pool too.
   *
   * @returns `revoked`: whether the workspace was told.
   * @throws LakebaseError `ERR_LAKEBASE_TOKEN_STORE` when the store could not forget them.
   */
  signOut(): Promise<{ readonly revoked: boolean }>;
}

/** What all sessions of this process share, those of another copy of this package included. */
interface Desk {
  /** What is being done with a refresh token; `undefined` comes out where the store has to be asked again. */
  readonly underWay: Map<string, Promise<Session | undefined>>;
  /** Tokens that the store did not take: the refresh token that they came for is used up. */
  readonly unsaved: Map<string, GrantedTokens>;
}

/** Beyond these many nobody comes for them any more. */
const maxUnsaved = 1000;
/**
 * From here on a token is replaced by whoever asks. A little before half of its life, where a token cache begins to ask:
 * what it gets then must be new.
 */
const usedUpAt = 0.45;

const deskKey = Symbol.for("@x/lakebase-core/user-session-desk/1");

function commonDesk(): Desk {
  const place = globalThis as { [deskKey]?: Desk };
  place[deskKey] ??= { underWay: new Map(), unsaved: new Map() };
  return place[deskKey];
}

/** The working half of `userSession()`. */
export function createFlow(options: UserSessionOptions): UserSessionCalls & AuthFlow {
  const settings = readUserSessionOptions(options);
  const { clock, workspaceHost, clientId } = settings;
  const entry = openEntry(settings.store, settings.key, { workspaceHost, clientId });
  const oauth = createOAuthClient({
    ...settings,
    http: {
      clock,
      fetch: settings.fetch,
      extraCa: settings.extraCa,
      userAgent: userAgentOf(settings.applicationName ?? `x-lakebase-core/${packageVersion}`),
    },
  });
  const desk = commonDesk();
  /** The last one that a handle got. */
  let handedOut: string | undefined;
  /** Whose tokens handles got: another person's must not follow, a pool would go on as the first. */
  let person: string | undefined;

  const tokenLeftMs = ({ expiresAt }: Session) => expiresAt - clock.now();
  const isGood = (session: Session, refused: string | undefined) =>
    session.accessToken.reveal() !== refused &&
    clock.now() - session.issuedAt < (session.expiresAt - session.issuedAt) * usedUpAt &&
    // Set back since: how old the token is cannot be told.
    clock.now() >= session.issuedAt - 60_000;

  /** A session whose token is not used up. */
  async function current(refused?: string): Promise<Session> {
    for (let turn = 0; turn < 5; turn += 1) {
      const session = await entry.read();
      if (!session) throw signInRequired("nobody is signed in under this key");
      if (isGood(session, refused)) return session;
      if (!session.refreshToken) {
        if (tokenLeftMs(session) > 0 && session.accessToken.reveal() !== refused) return session;
        throw signInRequired("the token has ended, and the session has no refresh token (scope offline_access)");
      }
      const renewed = await shared(session, () => renew(session, session.refreshToken as Secret, refused));
      // One that could not be kept for long has ended meanwhile; its refresh token is the one that counts.
      if (renewed && renewed.accessToken.reveal() !== refused && tokenLeftMs(renewed) > 0) return renewed;
    }
    throw new LakebaseError("ERR_LAKEBASE_TOKEN_STORE", "the token store changes faster than it can be read", {
      retryable: true,
    });
  }

  /**
   * A refresh token is good for one use: all who hold it, in whatever session object, share what is done with it. It goes on
   * when they have gone meanwhile: its answer holds the only refresh token that is good.
   */
  function shared(session: Session, work: () => Promise<Session | undefined>): Promise<Session | undefined> {
    const name = nameOf(session);
    const running = desk.underWay.get(name);
    if (running) return running;
    const started = entry.alone(work).finally(() => desk.underWay.delete(name));
    desk.underWay.set(name, started);
    return started;
  }

  async function renew(seen: Session, refreshToken: Secret, refused: string | undefined) {
    const latest = await entry.read();
    if (!latest) return undefined;
    if (isGood(latest, refused)) return latest;
    if (nameOf(latest) !== nameOf(seen)) return undefined;
    const name = nameOf(seen);
    let granted = desk.unsaved.get(name);
    try {
      granted ??= await oauth.refresh(refreshToken);
    } catch (error) {
      // Another process may have been faster; the store has what it got.
      const changed = isLakebaseError(error, "ERR_LAKEBASE_SIGN_IN_REQUIRED") && (await entry.read());
      if (changed && nameOf(changed) !== name) return undefined;
      throw error;
    }
    const { refreshToken: next = refreshToken, ...tokens } = granted;
    const renewed: Session = { ...latest, ...tokens, refreshToken: next };
    const meanwhile = await entry.read();
    if (!meanwhile || nameOf(meanwhile) !== name) {
      // Signed out, or in anew, while the workspace answered: what it gave is nobody's.
      oauth.revoke(next).catch(() => {});
      return undefined;
    }
    try {
      await entry.write(renewed);
    } catch (error) {
      desk.unsaved.set(name, granted);
      for (const oldest of desk.unsaved.keys()) {
        if (desk.unsaved.size <= maxUnsaved) break;
        desk.unsaved.delete(oldest);
      }
      throw error;
    }
    desk.unsaved.delete(name);
    return renewed;
  }

  /** What is there, when it is past its middle and cannot be replaced just now. */
  async function currentOrOld(refused?: string, had?: string): Promise<Session> {
    try {
      return await current(refused);
    } catch (error) {
      if (!isLakebaseError(error) || !error.retryable) throw error;
      const old = await entry.read();
      const useless = !old || tokenLeftMs(old) <= 0 || [refused, had].includes(old.accessToken.reveal());
      if (useless) throw error;
      return old;
    }
  }

  const calls: UserSessionCalls = {
    async createAuthorizationUrl({ redirectUri = settings.redirectUri } = {}) {
      if (redirectUri === undefined) {
        throw configError([
          { option: "auth: userSession.redirectUri", message: "is needed to sign people in with a browser" },
        ]);
      }
      const { url, ...kept } = await oauth.authorizationUrl(redirectUri);
      return { url: url.href, ...kept };
    },

    async exchangeAuthorizationCode(callback, kept) {
      const granted = await oauth.redeemCode(parametersOf(callback), checkKept(kept));
      const { user, workspaceId } = await oauth.whoSignedIn(granted.accessToken);
      const { refreshToken, ...tokens } = granted;
      const session: Session = {
        ...{ workspaceHost, clientId, signIn: randomUUID(), ...tokens },
        ...(user !== undefined && { user }),
        ...(workspaceId !== undefined && { workspaceId }),
        ...(refreshToken && { refreshToken }),
      };
      await entry.alone(() => entry.write(session));
      return { user };
    },

    async signInOnLoopback(options) {
      const { signInOnLoopback } = await import("./user-session-loopback.ts");
      return signInOnLoopback(calls, options, settings);
    },

    async accessToken() {
      const { accessToken, expiresAt } = await currentOrOld();
      return { token: accessToken, expiresAt: new Date(expiresAt) };
    },

    async signOut() {
      for (;;) {
        const session = await entry.read().catch((error: unknown) => {
          // What is damaged must still be possible to get rid of.
          if (isLakebaseError(error, "ERR_LAKEBASE_TOKEN_STORE") && !error.retryable) return "damaged" as const;
          throw error;
        });
        if (session === "damaged") await entry.remove();
        if (!session || session === "damaged") return { revoked: false };
        let forgotten: Session | undefined;
        // Those who ask for a token meanwhile share this, and then find that nobody is signed in.
        await desk.underWay.get(nameOf(session))?.catch(() => {});
        await shared(session, async () => {
          const latest = await entry.read();
          if (latest) {
            await entry.remove();
            forgotten = latest;
          }
          return undefined;
        });
        if (forgotten) {
          const unsaved = desk.unsaved.get(nameOf(forgotten));
          desk.unsaved.delete(nameOf(forgotten));
          const { refreshToken, accessToken } = { ...forgotten, ...unsaved };
          const revoked = await oauth.revoke(refreshToken ?? accessToken).catch(() => false);
          return { revoked };
        }
      }
    },
  };

  return {
    ...calls,
    workspaceHost: () => workspaceHost,

    async getToken({ forced }) {
      const refused = forced ? (handedOut ?? (await entry.read())?.accessToken.reveal()) : undefined;
      const session = await currentOrOld(refused, handedOut);
      person ??= session.user ?? session.signIn;
      if (person !== (session.user ?? session.signIn)) {
        throw signInRequired(
          "somebody else has signed in under this key since; make a userSession and a handle of their own for them",
        );
      }
      handedOut = session.accessToken.reveal();
      const headers = workspaceHeader(session.workspaceId);
      return { token: session.accessToken, lifetimeMs: tokenLeftMs(session), ...(headers && { headers }) };
    },
  };
}

/** What makes an entry the one that was seen: both change with every refresh. Hashed: names are in reach of whoever looks around. */
function nameOf({ workspaceHost, clientId, refreshToken, accessToken }: Session): string {
  const text = JSON.stringify([workspaceHost, clientId, (refreshToken ?? accessToken).reveal()]);
  return createHash("sha256").update(text).digest("base64");
}

function signInRequired(why: string): LakebaseError {
  return new LakebaseError("ERR_LAKEBASE_SIGN_IN_REQUIRED", `sign-in required: ${why}`);
}

function parametersOf(callback: string | URL | URLSearchParams): URLSearchParams {
  if (callback instanceof URLSearchParams) return callback;
  // A server's own `request.url` is a path.
  return URL.canParse(String(callback), "http://localhost")
    ? new URL(String(callback), "http://localhost").searchParams
    : new URLSearchParams();
}

function checkKept(kept: Partial<KeptSignIn> | undefined): KeptSignIn {
  const { state, codeVerifier, redirectUri } = Object(kept) as Partial<KeptSignIn>;
  if (!state || !codeVerifier || !redirectUri) {
    throw new LakebaseError(
      "ERR_LAKEBASE_SIGN_IN_FAILED",
      "sign-in failed: nothing was kept for this browser. Its cookie may be gone, or it never began here: start again",
    );
  }
  return { state, codeVerifier, redirectUri };
}
