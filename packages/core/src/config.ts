import type { Clock } from "./clock.ts";
import { type CertificateSource, type PostgresTls, readPostgresTls } from "./config/certificates.ts";
import { checkHost, readTrustedHosts } from "./config/host-guard.ts";
import { type Identity, readIdentity } from "./config/identity-group.ts";
import { ConfigReader, type Environment } from "./config/reader.ts";
import { type ResolvedScope, readScope } from "./config/scope.ts";
import { readTarget, type TargetGroup } from "./config/target-group.ts";
import { sslModeProblem } from "./connection-string.ts";
import type { LakebaseEvent } from "./events.ts";
import { type Claim, type LakebaseOptions, lakebaseOptionKeys, unknownOptionProblems } from "./options.ts";
import type { Target } from "./target.ts";

/** Everything decided. Frozen; nothing after it reads options or the environment. */
export interface ResolvedConfig {
  readonly target: Target | undefined;
  readonly host: string | undefined;
  readonly hostAddress: string | undefined;
  readonly port: number;
  readonly identity: Identity;
  readonly workspaceHost: string | undefined;
  readonly workspaceId: string | undefined;
  readonly workspaceCa: CertificateSource | undefined;
  readonly ssl: PostgresTls;
  readonly trustedHosts: ReadonlySet<string>;
  readonly credential: { readonly ttlSeconds: number | undefined; readonly claims: readonly Claim[] };
  readonly scope: ResolvedScope;
  /** libpq's `PGOPTIONS`, for the startup packet. */
  readonly startupOptions: string | undefined;
  readonly onEvent: ((event: LakebaseEvent) => void) | undefined;
  readonly fetch: typeof fetch | undefined;
  readonly clock: Clock | undefined;
  /** Of which groups the environment was not read; `config/missing.ts` says so when something is not there. */
  readonly fromOptions: { readonly target: boolean; readonly identity: boolean };
  /** The environment as it is now, for identities that were told to read there. A function, so that no look at a handle shows what it holds. */
  readonly environment: () => Environment;
  readonly ignoresPassword: boolean;
}

/**
 * Turns options and environment into one frozen configuration.
 *
 * @param checkForMany Given where the configuration is for many users: nothing in it may say who logs in. Adds problems of
 * its own.
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists every problem, `ERR_LAKEBASE_HOST_REFUSED` when all of them are
 * hosts that must not receive a token.
 */
export function resolveConfig(options: LakebaseOptions, checkForMany?: (reader: ConfigReader) => void): ResolvedConfig {
  // Not set, and that alone, is the process's: whoever says `null` means none.
  const { env = process.env } = options;
  const reader = new ConfigReader(options, env ?? {});
  for (const { option, message } of unknownOptionProblems(options, lakebaseOptionKeys)) reader.problem(option, message);

  const target = readTarget(reader);
  const identity = readIdentity(reader, target, checkForMany !== undefined);
  checkForMany?.(reader);
  const trustedHosts = readTrustedHosts(reader);
  checkHost(target, identity.identity.kind === "native", trustedHosts, reader);
  const scope = readScope(reader);
  const ssl = readPostgresTls(reader);
  const mode = reader.variable("PGSSLMODE", "ssl");
  const modeProblem = mode && sslModeProblem(mode.value);
  if (modeProblem) reader.wrong(mode, modeProblem);
  const credential = readCredential(reader, target);
  reader.function("onEvent", options.onEvent);
  reader.function("fetch", options.fetch);
  if (options.clock !== undefined && typeof options.clock?.now !== "function")
    reader.problem("clock", "must have now()");
  reader.throwProblems();

  return Object.freeze({
    ...target,
    ...identity,
    host: target.host?.name,
    ssl,
    trustedHosts,
    credential,
    scope,
    startupOptions: reader.variable("PGOPTIONS", "options")?.value,
    onEvent: options.onEvent,
    fetch: options.fetch,
    clock: options.clock,
    fromOptions: { target: target.fromOptions, identity: identity.fromOptions },
    environment: () => reader.environment,
  });
}

function readCredential(reader: ConfigReader, target: TargetGroup): ResolvedConfig["credential"] {
  const { ttlSeconds, claims = [], ...unknown } = reader.options.credential ?? {};
  for (const key of Object.keys(unknown)) reader.problem(`credential.${key}`, "is not an option");
  if (ttlSeconds !== undefined) {
    reader.wholeNumber("credential.ttlSeconds", ttlSeconds, 300, 3600);
    if (target.target?.kind === "instance") reader.problem("credential.ttlSeconds", "cannot be chosen for an instance");
  }
  const isText = (table: unknown) => typeof table === "string";
  const valid = (claim: Claim) =>
    claim?.permissionSet === "READ_ONLY" && Array.isArray(claim.tables) && claim.tables.every(isText);
  if (!Array.isArray(claims) || !claims.every(valid)) {
    reader.problem("credential.claims", 'must be a list of { permissionSet: "READ_ONLY", tables: string[] }');
  }
  return Object.freeze({ ttlSeconds, claims: [...claims] });
}
