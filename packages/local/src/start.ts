import { randomBytes, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAuthority } from "./certificate.ts";
import { createClock } from "./clock.ts";
import { createCompute } from "./compute.ts";
import { createDirectory } from "./directory.ts";
import { createEnvironments } from "./environments.ts";
import { openFront } from "./front/front.ts";
import type { ConnectionCounts } from "./front/login-record.ts";
import { createHostNames, frontCertificateNames } from "./host-names.ts";
import { createIdentities } from "./identities.ts";
import { createIdentityProvider } from "./identity-provider.ts";
import type { LocalLakebase } from "./local-lakebase.ts";
import { type LocalLakebaseOptions, resolveOptions } from "./options.ts";
import { createCluster } from "./postgres/cluster.ts";
import { openControlSession } from "./postgres/control.ts";
import { providePostgres } from "./postgres/provider.ts";
import { createPrivateFolder } from "./private-folder.ts";
import { createLocalResources } from "./resources.ts";
import { createRoleRegister } from "./roles.ts";
import { DATABASE, PRIVILEGED_ROLE, prepareDatabase, prepareServer } from "./schema.ts";
import { createServerIdentity } from "./server-identity.ts";
import { createTeardown } from "./teardown.ts";
import { createTokenOffice } from "./tokens.ts";
import { createAuthorizationCodes } from "./workspace/oauth/authorization-code.ts";
import { defaultAudiences } from "./workspace/oauth/authorization-server.ts";
import { createConsents } from "./workspace/oauth/consents.ts";
import { createOAuthApps } from "./workspace/oauth/oauth-apps.ts";
import { createSignIns } from "./workspace/oauth/sign-ins.ts";
import { createTrustedIssuers } from "./workspace/oauth/trusted-issuers.ts";
import { createPermissions } from "./workspace/permissions.ts";
import { createResourceRegister } from "./workspace/resources/register.ts";
import { createResources } from "./workspace/resources/resources.ts";
import { openWorkspace } from "./workspace/workspace.ts";

const HOST_ADDRESS = "127.0.0.1";
const IDENTITY_PROVIDER = "https://identity-provider.example.com";

/**
 * Starts a Lakebase on this machine: the workspace API that gives out tokens, the TLS front that checks them, and a real
 * Postgres behind it. Everything listens on the loopback address only.
 *
 * @throws Error when no Postgres is found; the message says how to add one
 * @throws TypeError or RangeError when an option is not valid
 *
 * @example
 * ```ts
 * import { startLocalLakebase } from "@x/lakebase-local";
 *
 * const lakebase = await startLocalLakebase();
 * Object.assign(process.env, lakebase.env);
 * // … an hour passes, and every token with it
 * lakebase.clock.advance(3_600_000);
 * await lakebase.close();
 * ```
 */
export async function startLocalLakebase(options: LocalLakebaseOptions = {}): Promise<LocalLakebase> {
  const teardown = createTeardown();
  try {
    return await start(resolveOptions(options), teardown);
  } catch (error) {
    await teardown.run().catch(() => {});
    throw error;
  }
}

async function start(options: ReturnType<typeof resolveOptions>, teardown: ReturnType<typeof createTeardown>) {
  const { env, log } = options;
  const disguised = options.profile === "lakebase";
  const clock = createClock();
  const folder = createPrivateFolder(env);
  teardown.add(folder.remove);

  let workspaceUrl = "";
  const [server, tokens] = await Promise.all([
    providePostgres({
      major: options.postgres,
      superuser: disguised ? "cloud_admin" : "postgres",
      disguised,
      folder: folder.path,
      env,
      cwd: process.cwd(),
    }).then((started) => {
      teardown.add(started.stop);
      return started;
    }),
    createTokenOffice({ issuer: () => `${workspaceUrl}/oidc`, clock }),
  ]);
  log(`local Lakebase: ${server.description}`);

  const preparing = await openControlSession(server.address, {
    ...server.superuser,
    database: server.maintenanceDatabase,
  });
  await prepareServer(preparing, { disguised }).finally(preparing.close);
  const control = await openControlSession(server.address, { ...server.superuser, database: DATABASE });
  teardown.add(control.close);
  await prepareDatabase(control, { ...server, disguised });
  const cluster = createCluster(server, control, DATABASE);
  teardown.add(cluster.close);
  const roles = createRoleRegister(control);
  if (!server.isOurs) teardown.add(roles.removeAdded);

  const directory = createDirectory();
  const suffix = randomBytes(3).toString("hex");
  const servicePrincipal = directory.addServicePrincipal();
  const user = directory.addPerson(`ada.${suffix}@example.com`);
  const nativeRole = { user: `native_${suffix}`, password: randomBytes(12).toString("base64url") };
  await roles.addIdentity(servicePrincipal.clientId, "SERVICE_PRINCIPAL", {
    owner: disguised ? { memberOf: PRIVILEGED_ROLE } : {},
  });
  await roles.addIdentity(user.userName, "USER");
  await roles.addNative(nativeRole.user, nativeRole.password);

  const hosts = createHostNames();
  const register = createResourceRegister(hosts);
  const compute = createCompute(clock, options.wakeDelayMs);
  const project = register.addProject({ id: `local-${suffix}`, branches: [] });
  const branch = register.addBranch(project.name, { id: "production", default: true, endpoints: [] });
  const endpoint = register.addEndpoint(branch.name, { id: "primary" });
  register.addEndpoint(branch.name, { id: "replica", type: "READ_ONLY" });
  const instance = register.addInstance({ name: `local-instance-${suffix}` });
  // Kept as they are now: an endpoint that moves has others.
  const { host, pooledHost, readOnlyHost } = endpoint.hosts;
  const permissions = createPermissions();
  const place = {
    workspaceUrl: () => workspaceUrl,
    workspaceId: String(Number.parseInt(suffix, 16)),
    accountId: randomUUID(),
    unified: options.hostKind === "unified",
  };
  const provider = createIdentityProvider(IDENTITY_PROVIDER, clock);
  const issuers = createTrustedIssuers({ directory, defaultAudiences: () => defaultAudiences(place), now: clock.now });
  const { workspaceTokenLifeSeconds } = options;
  const apps = createOAuthApps();
  const signIns = createSignIns({ tokens, workspaceTokenLifeSeconds, now: clock.now });
  const codes = createAuthorizationCodes(clock.now);
  const consents = createConsents(clock.now);
  const authorization = { ...place, apps, directory, consents, codes };
  const keepers = [directory, tokens, provider, apps, signIns, codes, consents];
  const secrets = () => [nativeRole.password, ...keepers.flatMap((keeper) => keeper.secrets())];
  const authority = createAuthority("Local Lakebase CA");
  const caFile = join(folder.path, "ca.pem");
  writeFileSync(caFile, authority.pem);

  const apiIdentity = createServerIdentity(authority, ["localhost", HOST_ADDRESS]);
  const workspace = await openWorkspace({
    port: options.workspacePort,
    identity: apiIdentity,
    clock,
    secrets,
    context: {
      ...authorization,
      signIns,
      tokens,
      issuers,
      permissions,
      workspaceTokenLifeSeconds,
      tokenLifeSeconds: options.tokenLifeSeconds,
      now: clock.now,
      resources: createResources({
        register,
        compute,
        creator: servicePrincipal.clientId,
        createdAt: new Date(clock.now()),
        major: server.major,
      }),
    },
  });
  teardown.add(workspace.close);
  workspaceUrl = `https://${HOST_ADDRESS}:${workspace.port}`;

  const counts: ConnectionCounts = {
    accepted: 0,
    tlsFailed: 0,
    plaintextRefused: 0,
    cancelRequests: 0,
    passwordBytes: 0,
  };
  const frontIdentity = createServerIdentity(authority, frontCertificateNames);
  const front = await openFront({
    port: options.port,
    allowMissingSni: options.allowMissingSni,
    identity: frontIdentity,
    clock,
    counts,
    hosts,
    roles,
    tokens,
    compute,
    cluster,
  });
  teardown.add(front.close);

  const envFor = createEnvironments({
    place,
    servicePrincipal,
    nativeRole,
    endpoint: endpoint.name,
    instance: instance.name,
    host,
    instanceHost: instance.hosts.host,
    hostAddress: HOST_ADDRESS,
    port: front.port,
    database: DATABASE,
    caFile,
  });

  const killConnections = (how: "terminate" | "reset" = "terminate"): number => {
    const sessions = [...front.sessions];
    if (how === "reset") for (const session of sessions) session.reset();
    else {
      for (const home of new Set(sessions.map((session) => session.home))) {
        const served = sessions.filter((session) => session.home === home);
        home.terminate(served.map(({ processId }) => processId)).catch(() => {
          for (const session of served) session.destroy();
        });
      }
    }
    return sessions.length;
  };

  const lakebase: LocalLakebase = {
    env: envFor("endpoint"),
    envFor,
    ca: authority.pem,
    caFile,
    host,
    pooledHost,
    readOnlyHost,
    instanceHost: instance.hosts.host,
    instanceReadOnlyHost: instance.hosts.readOnlyHost,
    hostAddress: HOST_ADDRESS,
    port: front.port,
    workspaceUrl,
    workspaceId: place.workspaceId,
    accountId: place.accountId,
    endpoint: endpoint.name,
    instance: instance.name,
    database: DATABASE,
    servicePrincipal,
    user,
    nativeRole,
    ...createIdentities({
      directory,
      roles,
      tokens,
      issuers,
      provider,
      place,
      owner: servicePrincipal,
      authorization,
      signIns,
      workspaceTokenLifeSeconds,
    }),
    ...createLocalResources(register),
    clock: { now: clock.now, monotonic: clock.monotonic, advance: clock.advance },
    logins: front.logins,
    connections: Object.defineProperty(counts, "apiTlsFailed", {
      enumerable: true,
      get: () => workspace.tlsFailed,
    }) as LocalLakebase["connections"],
    requests: workspace.requests,
    issued: tokens.issued,
    secrets,
    sessions: () => front.sessions.size,
    postgresUrl: server.url(DATABASE),
    faults: {
      api: workspace.fault,
      login: front.fault,
      forbid: permissions.forbid,
      tls: (fault) => (fault.on === "api" ? apiIdentity : frontIdentity).fault(fault),
      clear() {
        workspace.clearFaults();
        permissions.clear();
        front.clearFaults();
        apiIdentity.clear();
        frontIdentity.clear();
      },
    },
    revoke: tokens.revoke,
    revokeAll: (kind = "credential") => tokens.revokeAll(kind),
    killConnections,
    suspend({ waking = "hold" } = {}) {
      compute.suspend(waking);
      return killConnections("terminate");
    },
    close: teardown.run,
    [Symbol.asyncDispose]: teardown.run,
  };
  return lakebase;
}
