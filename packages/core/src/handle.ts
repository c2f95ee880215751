import type { FullClock } from "./clock.ts";
import type { CertificateSource } from "./config/certificates.ts";
import { readWriteHost } from "./config/host-guard.ts";
import { passwordProblem } from "./config/identity-group.ts";
import { variablesOf } from "./config/reader.ts";
import { type ResolvedScope, resolveScope } from "./config/scope.ts";
import type { ResolvedConfig } from "./config.ts";
import { withDeadline } from "./deadline.ts";
import { errorCode, isLakebaseError } from "./error-chain.ts";
import { configError, LakebaseError } from "./errors.ts";
import type { LakebaseEventBody } from "./events.ts";
import { maxLifetimeMs, unknownLifetimeMs } from "./expiry.ts";
import { hostProblem, normalizeHost, parseLakebaseHost } from "./host.ts";
import { type HttpSettings, sendRequest, userAgentOf } from "./http.ts";
import { type ResolvedIdentity, resolveIdentity } from "./identity/resolved-identity.ts";
import { isTokenText, jwtExpiry } from "./identity/token-answer.ts";
import type { PoolScope } from "./options.ts";
import { createSecret, isSecret, type Secret } from "./secret.ts";
import { isHostGone, TargetBook } from "./target-book.ts";
import type { FoundTarget } from "./target-lookup.ts";
import { createPostgresTls, readCertificates, type VerifiedTls } from "./tls.ts";
import {
  type CachedToken,
  forever,
  type MintContext,
  TokenCache,
  type TokenGrant,
  type TokenWait,
} from "./token-cache.ts";
import { authorize, getUserName, mintCredential, type WorkspaceCall } from "./workspace.ts";
import type { WorkspaceAuthSurroundings, WorkspaceToken } from "./workspace-auth.ts";

/** A Postgres password for one target, and when it ends. */
export interface Credential {
  readonly token: Secret;
  readonly expiresAt: Date;
}

/** What a driver needs for one login. Good for one login only: the token ends within the hour. */
export interface ConnectionSettings {
  readonly host: string;
  /** Dial here; SNI and the certificate check stay with `host`. */
  readonly hostAddress: string | undefined;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: Secret;
  readonly applicationName: string;
  readonly ssl: VerifiedTls;
  /** libpq's `options`, from `PGOPTIONS`. */
  readonly options: string | undefined;
  /** When the password ends; `undefined` for a native role. */
  readonly expiresAt: Date | undefined;
  /** What the password is for: the resource name of an endpoint or the name of an instance; `undefined` for a native role. */
  readonly target?: string | undefined;
}

/** A look at a handle. Holds no secret; meant for a health endpoint. */
export interface LakebaseHealth {
  /**
   * - `new`: no token was needed yet
   * - `ready`: logins work, as far as the handle can tell
   * - `stale`: logins work, but the refresh of the token is due or failing
   * - `failing`: there is no valid token, or Postgres refuses it
   * - `closed`
   */
  readonly status: "new" | "ready" | "stale" | "failing" | "closed";
  readonly target: string;
  readonly token: { readonly expiresAt: Date; readonly remainingMs: number } | undefined;
  /** Whether a new token is being fetched now. */
  readonly refreshing: boolean;
  /** Code of the failure that has not been followed by a success. */
  readonly lastErrorCode: string | undefined;
  readonly counts: {
    readonly logins: number;
    readonly loginsRejected: number;
    /** Logins that had to wait for a token. After the first ones it stays the same while refreshes are ahead of time. */
    readonly tokenWaits: number;
    readonly refreshes: number;
    readonly refreshFailures: number;
  };
}

/** One login's settings, and where its token came from. */
export interface LoginGrant {
  readonly settings: ConnectionSettings;
  /** Whether its token was in the cache before: only then can a new one help after a refusal. */
  readonly fromCache: boolean;
  /** Whether the workspace named the host: only then may another one take its place. */
  readonly hostTold: boolean;
}

/** What a handle is made of before its first login. */
export interface HandleParts {
  readonly config: ResolvedConfig;
  readonly clock: FullClock;
  /** How the target is named in messages. */
  readonly label: string;
  /** The application name where neither option nor environment gives one. */
  readonly defaultName: string;
  readonly emit: (event: LakebaseEventBody) => void;
  /** Says what the refusal of a login means, where more than the token is known of its owner. */
  readonly explainRefusal?: ((error: unknown) => Error | undefined) | undefined;
}

/** A workspace token, and when it ends by its issuer's word or its own; wall-clock milliseconds. */
type Bearer = WorkspaceToken & { readonly endsAt: number | undefined };

/** How long after the refusal of a new token logins fail at once: a role that does not exist must not cause a storm. */
const refusalHoldMs = 15_000;

/** The working half of a handle: its caches and the calls that fill them. Loaded with the first login. */
export class Handle {
  readonly #parts: HandleParts;
  readonly #workspaceTokens: TokenCache<Bearer>;
  readonly #credentials: TokenCache<Secret>;
  readonly #targets: TargetBook;
  readonly #user: TokenCache<string>;
  #settled: { readonly identity: ResolvedIdentity | undefined } | undefined;
  #settling: Promise<ResolvedIdentity | undefined> | undefined;
  #http: Promise<HttpSettings> | undefined;
  #tls: Promise<(servername: string) => VerifiedTls> | undefined;
  #closed = false;
  readonly #closing = new AbortController();
  readonly #warned = new Set<string>();
  #logins = 0;
  #loginsRejected = 0;
  #tokenWaits = 0;
  /** Whom the sessions belong to that this handle has opened. */
  #loggedInAs: string | undefined;
  /** Tokens that some login was accepted with. */
  readonly #proven = new WeakSet<Secret>();
  #refusal: { readonly until: number; readonly cause: unknown } | undefined;
  #forcedAt = Number.NEGATIVE_INFINITY;
  #ignoredTold = false;

  constructor(parts: HandleParts) {
    this.#parts = parts;
    const { config, clock, label, emit } = parts;
    const common = { clock, random: Math.random };
    this.#workspaceTokens = new TokenCache({
      ...common,
      label: `workspace token${config.workspaceHost ? ` for ${config.workspaceHost}` : ""}`,
      mint: (context) => this.#fetchWorkspaceToken(context),
    });
    const onWorkspace = { ...common, upstream: this.#workspaceTokens };
    this.#credentials = new TokenCache({
      ...onWorkspace,
      label: `credential for ${label}`,
      mint: (context) => this.#mintCredential(context),
      onEvent: emit,
    });
    this.#targets = new TargetBook({
      ...onWorkspace,
      target: config.target ?? { kind: "host", name: "" },
      call: (context) => this.#caller(context),
      workspace: () => this.#asker.workspaceHost,
    });
    this.#user = new TokenCache({
      ...onWorkspace,
      label: `user${config.workspaceHost ? ` at ${config.workspaceHost}` : ""}`,
      mint: async (context) => forever(this.#samePerson(await getUserName(this.#caller(context)))),
    });
  }

  async credential(options: { signal?: AbortSignal | undefined } = {}): Promise<Credential> {
    const { value, expiresAt } = await this.#withinTimeout(
      this.#parts.config.scope,
      options.signal,
      "credential",
      (signal) => this.#credential(signal),
    );
    return { token: value, expiresAt };
  }

  async connection(options: PoolScope & { signal?: AbortSignal | undefined } = {}): Promise<ConnectionSettings> {
    const { signal, ...own } = options;
    const scope = resolveScope(this.#parts.config.scope, own);
    const { settings } = await this.#withinTimeout(scope, signal, "connection settings", (within) =>
      this.grant(scope, within),
    );
    return settings;
  }

  invalidate(token: string | Secret): void {
    const text = isSecret(token) ? token.reveal() : token;
    this.#credentials.invalidate((value) => value.reveal() === text);
  }

  /** The identity has a newer token than those it has answered. What an older one was refused does not count for it. */
  renew(): void {
    this.#workspaceTokens.renew(true);
    this.#credentials.renew();
  }

  health(): LakebaseHealth {
    const { phase, expiresAt, refreshing, refreshes, refreshFailures } = this.#credentials.snapshot();
    const refused = this.#refusal !== undefined && this.#parts.clock.monotonic() < this.#refusal.until;
    const valid = phase === "fresh" || phase === "stale" || phase === "closing";
    const trouble =
      [this.#credentials, this.#workspaceTokens, this.#user]
        .map((cache) => cache.snapshot().lastErrorCode)
        .find((code) => code !== undefined) ?? this.#targets.lastErrorCode;
    const status = this.#closed
      ? "closed"
      : refused || (!valid && trouble !== undefined)
        ? "failing"
        : phase === "none"
          ? this.#logins > 0
            ? "ready"
            : "new"
          : phase === "fresh"
            ? "ready"
            : "stale";
    return {
      status,
      target: this.#parts.label,
      token: valid && expiresAt ? { expiresAt, remainingMs: expiresAt.getTime() - this.#parts.clock.now() } : undefined,
      refreshing,
      lastErrorCode: refused ? errorCode(this.#refusal?.cause) : trouble,
      counts: {
        logins: this.#logins,
        loginsRejected: this.#loginsRejected,
        tokenWaits: this.#tokenWaits,
        refreshes,
        refreshFailures,
      },
    };
  }

  close(): void {
    this.#closed = true;
    this.#closing.abort(this.#closedError());
    for (const cache of [this.#credentials, this.#workspaceTokens, this.#targets, this.#user]) cache.close();
  }

  async grant(scope: ResolvedScope, signal: AbortSignal): Promise<LoginGrant> {
    await this.#settle();
    // Where the token would go is settled before there is one.
    const tls = await this.#postgresTls();
    const isNative = this.#parts.config.identity.kind === "native";
    const [{ host, told }, user, named] = await Promise.all([
      this.#hostFor(scope, signal),
      this.#userName(signal),
      isNative ? undefined : this.#targets.named({ signal }),
    ]);
    const { password, expiresAt, fromCache } = await this.#password(signal);
    return {
      fromCache,
      hostTold: told,
      settings: {
        host,
        hostAddress: this.#parts.config.hostAddress,
        port: this.#parts.config.port,
        database: scope.database,
        user,
        password,
        applicationName: scope.applicationName ?? this.#parts.defaultName,
        ssl: tls(host),
        options: this.#parts.config.startupOptions,
        expiresAt,
        target: named?.name,
      },
    };
  }

  /** Whether there can be a login at all, and who asks for its token. */
  async #settle(): Promise<ResolvedIdentity | undefined> {
    this.#throwIfClosed();
    if (!this.#settled) {
      this.#settling ??= this.#withinTimeout(
        this.#parts.config.scope,
        this.#closing.signal,
        "an identity",
        async (signal) => resolveIdentity(this.#parts.config, this.#surroundings(signal)),
      );
      const identity = await this.#forgetFailure(this.#settling, () => {
        this.#settling = undefined;
      });
      this.#throwIfClosed();
      this.#settled = { identity };
    }
    this.#throwWhileRefused();
    return this.#settled.identity;
  }

  /** What an identity may use of the handle. */
  #surroundings(signal: AbortSignal): WorkspaceAuthSurroundings {
    const { config, clock, emit } = this.#parts;
    return {
      signal,
      variable: variablesOf(config.environment()),
      environment: config.environment,
      now: clock.now,
      warn: (message) => {
        if (!this.#warned.has(message)) emit({ type: "warning", message });
        this.#warned.add(message);
      },
    };
  }

  #closedError(): LakebaseError {
    return new LakebaseError("ERR_LAKEBASE_CLOSED", `the handle for ${this.#parts.label} is closed`);
  }

  #throwIfClosed(): void {
    if (this.#closed) throw this.#closedError();
  }

  #throwWhileRefused(): void {
    if (!this.#ignoredTold) {
      this.#ignoredTold = true;
      if (this.#parts.config.ignoresPassword) {
        const reason = "an endpoint or instance is reached with tokens";
        this.#parts.emit({ type: "ignored", setting: "PGPASSWORD", reason });
      }
    }
    const refusal = this.#refusal;
    if (refusal && this.#parts.clock.monotonic() < refusal.until) {
      const explained = this.#parts.explainRefusal?.(refusal.cause);
      if (explained) throw explained;
      throw new LakebaseError(
        "ERR_LAKEBASE_LOGIN_REJECTED",
        `${this.#parts.label}: Postgres refused a new token a moment ago, so no login is tried for another ${Math.ceil((refusal.until - this.#parts.clock.monotonic()) / 1000)} s. Is there a Postgres role for this identity (databricks_create_role), and is the endpoint in this workspace?`,
        { cause: refusal.cause, retryable: true },
      );
    }
  }

  async #password(signal: AbortSignal): Promise<{ password: Secret; expiresAt: Date | undefined; fromCache: boolean }> {
    const { identity } = this.#parts.config;
    if (identity.kind === "oauth") {
      const grant = this.#credentials.get({ signal });
      if (grant instanceof Promise) this.#tokenWaits += 1;
      const { cached, fromCache } = await grant;
      return { password: cached.value, expiresAt: cached.expiresAt, fromCache };
    }
    const { password } = identity;
    if (isSecret(password)) return { password, expiresAt: undefined, fromCache: false };
    const text: unknown = await password();
    if (typeof text !== "string" || text === "") {
      throw configError([{ option: "password", message: "is a function that answered no password" }]);
    }
    const problem = passwordProblem(text);
    if (problem) throw configError([{ option: "password", message: `is a function whose answer ${problem}` }]);
    return { password: createSecret(text), expiresAt: undefined, fromCache: false };
  }

  async #hostFor(scope: ResolvedScope, signal: AbortSignal): Promise<{ host: string; told: boolean }> {
    const { host, identity, target } = this.#parts.config;
    if (host !== undefined) {
      const known = parseLakebaseHost(host);
      const wanted = scope.access === "read-write" || known?.readOnly;
      if (!wanted && known && identity.kind === "native")
        throw configError([{ option: "host", message: readWriteHost }]);
      if (wanted || identity.kind === "native") {
        if (identity.kind === "oauth" && (target?.kind === "branch" || target?.kind === "project"))
          throwIfElsewhere(host, await this.#targets.get({ signal }), this.#parts.label);
        return { host, told: false };
      }
    }
    const told = await this.#targets.host(scope.access, { signal });
    // The workspace was verified by TLS and asked for this very target, so its answer is trusted; but not to be a pooler.
    const name = normalizeHost(told);
    if (hostProblem(name)) {
      throw new LakebaseError(
        "ERR_LAKEBASE_BAD_RESPONSE",
        `${this.#parts.label}: the workspace names a host that is none`,
      );
    }
    if (parseLakebaseHost(name)?.pooled) {
      throw new LakebaseError(
        "ERR_LAKEBASE_HOST_REFUSED",
        `${this.#parts.label}: the workspace names the pooler ${name}, which does not accept tokens`,
      );
    }
    return { host: name, told: true };
  }

  /** Who the identity is, by the workspace's word. */
  async whoAmI(signal: AbortSignal): Promise<string> {
    await this.#settle();
    return (await this.#user.get({ signal })).cached.value;
  }

  async #userName(signal: AbortSignal): Promise<string> {
    const { identity } = this.#parts.config;
    const user = identity.user ?? this.#settled?.identity?.auth.user ?? (await this.#user.get({ signal })).cached.value;
    // A zero byte would end the field in the startup packet, and what follows would be the next parameter.
    if (user.includes("\0")) throw configError([{ option: "user", message: "holds a control character" }]);
    return user;
  }

  /** Pools keep sessions: those of a second person must not stand among those of the first. */
  #samePerson(user: string): string {
    const first = this.#loggedInAs;
    if (first === undefined || first === user) return user;
    throw new LakebaseError(
      "ERR_LAKEBASE_UNAUTHENTICATED",
      `${this.#parts.label}: the identity is ${user} by now, and this handle has sessions of ${first}; they are not mixed. Make a new handle and pool (or restart), or be ${first} again`,
    );
  }

  loginAccepted(grant: LoginGrant): void {
    this.#logins += 1;
    this.#loggedInAs = grant.settings.user;
    this.#refusal = undefined;
    this.#proven.add(grant.settings.password);
  }

  /**
   * After a login that found nobody at its host: the other one that the workspace names by now, if it does. A host that was
   * given is never replaced.
   */
  async movedTo({ hostTold, settings }: LoginGrant, scope: ResolvedScope, error: unknown, signal: AbortSignal) {
    if (!hostTold || !isHostGone(error, settings.hostAddress === undefined)) return undefined;
    await this.#targets.renew();
    const host = await this.#hostFor(scope, signal).then(
      (now) => now.host,
      () => undefined,
    );
    if (host === undefined || host === settings.host) return undefined;
    this.#parts.emit({ type: "hostMoved", from: settings.host, to: host });
    return host;
  }

  loginRejected(grant: LoginGrant, error: unknown, replayed: boolean): boolean {
    this.#loginsRejected += 1;
    const now = this.#parts.clock.monotonic();
    const { password } = grant.settings;
    let retrying = false;
    if (this.#parts.config.identity.kind === "oauth" && grant.fromCache && !replayed) {
      // A token that worked before was revoked or has ended; one that never worked gets a successor now and then only.
      const worthwhile = this.#proven.has(password) || now - this.#forcedAt >= refusalHoldMs;
      const text = password.reveal();
      const current = (value: Secret) => value.reveal() === text;
      if (worthwhile && this.#credentials.invalidate(current)) this.#forcedAt = now;
      // Also when another login has seen to it meanwhile.
      retrying = worthwhile || !this.#credentials.holds(current);
    }
    if (!retrying && this.#parts.config.identity.kind === "oauth") {
      this.#refusal = { until: now + refusalHoldMs, cause: error };
      // It may have another name by now, and its role as well.
      this.#user.invalidate(() => true);
    }
    this.#parts.emit({ type: "loginRejected", code: errorCode(error), tokenFromCache: grant.fromCache, retrying });
    return retrying;
  }

  async #credential(signal: AbortSignal): Promise<CachedToken<Secret>> {
    await this.#settle();
    if (this.#parts.config.identity.kind === "native") {
      throw new LakebaseError("ERR_LAKEBASE_CONFIG", "a handle with a password has no tokens: OAuth is off");
    }
    await this.#targets.named({ signal });
    return (await this.#credentials.get({ signal })).cached;
  }

  async #mintCredential(context: MintContext) {
    const { credential } = this.#parts.config;
    const named = await this.#targets.named(context);
    if (named.kind === "instance" && credential.ttlSeconds !== undefined) {
      throw configError([{ option: "credential.ttlSeconds", message: "cannot be chosen for an instance" }]);
    }
    try {
      return await mintCredential(
        this.#caller(context),
        named,
        { ...credential, requestId: crypto.randomUUID() },
        this.#parts.clock.now,
      );
    } catch (error) {
      // What a branch or a host was found to mean may be another endpoint by now; the next try knows.
      if (isLakebaseError(error, "ERR_LAKEBASE_NOT_FOUND")) await this.#targets.renewNamed();
      throw error;
    }
  }

  /** Who asks the workspace. Only caches ask, and they are asked after everything is settled. */
  get #asker(): ResolvedIdentity {
    const identity = this.#settled?.identity;
    if (identity === undefined) throw new LakebaseError("ERR_LAKEBASE_CONFIG", "a native role has no workspace");
    return identity;
  }

  async #fetchWorkspaceToken({ signal, background, forced }: MintContext) {
    const { auth, workspaceHost } = this.#asker;
    const requestedAt = this.#parts.clock.now();
    const http = await this.#httpSettings();
    const answer: unknown = await auth.getToken({
      ...this.#surroundings(signal),
      workspaceHost,
      forced,
      request: (purpose, request) => sendRequest(request, { purpose, signal, holdProcess: !background }, http),
    });
    const { token, headers, lifetimeMs, cached } = Object(answer) as Partial<WorkspaceToken>;
    if (!isSecret(token) || !isTokenText(token.reveal()) || Number.isNaN(lifetimeMs ?? 0)) {
      throw new LakebaseError(
        "ERR_LAKEBASE_UNAUTHENTICATED",
        `the identity ${auth.kind} answered no usable token for ${workspaceHost}`,
      );
    }
    const bounded = Math.min(lifetimeMs ?? unknownLifetimeMs, maxLifetimeMs);
    const endsAt = lifetimeMs === undefined ? jwtExpiry(token.reveal()) : requestedAt + lifetimeMs;
    return { value: { token, headers, endsAt, cached }, lifetimeMs: bounded, expiresAt: requestedAt + bounded };
  }

  /** A REST call with the workspace token; a token that is refused is replaced once. */
  #caller({ signal, background }: MintContext): WorkspaceCall {
    return async (purpose, { method, path, body, young = false }) => {
      const http = await this.#httpSettings();
      const { workspaceId } = this.#parts.config;
      const wait: TokenWait = { signal, background, young };
      const request = {
        method,
        url: `${this.#asker.workspaceHost}${path}`,
        headers: {
          ...(workspaceId === undefined ? {} : { "x-databricks-workspace-id": workspaceId }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const send = async ({ cached: { value } }: TokenGrant<Bearer>) => ({
        ...(await sendRequest(authorize(request, value), { purpose, signal, holdProcess: !background }, http)),
        bearerEndsAt: value.endsAt,
      });
      const first = await this.#workspaceTokens.get(wait);
      try {
        return await send(first);
      } catch (error) {
        const refused = error instanceof LakebaseError && error.code === "ERR_LAKEBASE_UNAUTHENTICATED";
        if (!refused || !(first.fromCache || first.cached.value.cached)) throw error;
        this.#workspaceTokens.invalidate((value) => value === first.cached.value);
        return await send(await this.#workspaceTokens.get(wait));
      }
    };
  }

  #httpSettings(): Promise<HttpSettings> {
    this.#http ??= (async () => ({
      clock: this.#parts.clock,
      fetch: this.#parts.config.fetch,
      userAgent: userAgentOf(this.#parts.config.scope.applicationName ?? this.#parts.defaultName),
      extraCa: await this.#certificates(this.#parts.config.workspaceCa, "workspaceCa", "LAKEBASE_WORKSPACE_CA"),
    }))();
    return this.#forgetFailure(this.#http, () => {
      this.#http = undefined;
    });
  }

  #postgresTls(): Promise<(servername: string) => VerifiedTls> {
    this.#tls ??= (async () => {
      const ca = await this.#certificates(this.#parts.config.ssl.ca, "ssl.ca", "PGSSLROOTCERT");
      return createPostgresTls(ca, this.#parts.config.ssl.minVersion);
    })();
    return this.#forgetFailure(this.#tls, () => {
      this.#tls = undefined;
    });
  }

  /** A file that is not there yet may be there at the next login. */
  async #forgetFailure<T>(promise: Promise<T>, forget: () => void): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      forget();
      throw error;
    }
  }

  #certificates(source: CertificateSource | undefined, option: string, variable: string) {
    return source === undefined ? undefined : readCertificates(source, option, variable);
  }

  #withinTimeout<T>(
    scope: ResolvedScope,
    signal: AbortSignal | undefined,
    what: string,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { connectTimeoutMs: timeoutMs } = scope;
    const expired = () =>
      new LakebaseError("ERR_LAKEBASE_TIMEOUT", `${what} for ${this.#parts.label}: not there within ${timeoutMs} ms`, {
        retryable: true,
      });
    return withDeadline({ clock: this.#parts.clock, timeoutMs, signal, expired }, run);
  }
}

/** Endpoints of one branch have hosts of their own names; a host of another branch is another database. */
function throwIfElsewhere(host: string, { branchHosts = [] }: FoundTarget, label: string): void {
  // An upgraded instance keeps its old name, which its branch need not list; a trusted name is the user's own word.
  if (parseLakebaseHost(host)?.product !== "autoscaling" || branchHosts.includes(host)) return;
  throw configError([
    {
      option: "host",
      variable: "PGHOST",
      message: `is ${host}, which is no host of ${label}; its hosts are ${branchHosts.join(", ") || "not known yet"}; remove one of the two`,
    },
  ]);
}
