import type { LocalClock } from "./clock.ts";
import type { WakingBehaviour } from "./compute.ts";
import type { Person, ServicePrincipal } from "./directory.ts";
import type { Surrounding } from "./environments.ts";
import type { FaultHandle } from "./fault-list.ts";
import type { LoginFault } from "./front/login-faults.ts";
import type { ConnectionCounts, LoginRecord } from "./front/login-record.ts";
import type { LocalIdentities } from "./identities.ts";
import type { LocalResources } from "./resources.ts";
import type { TlsFault } from "./server-identity.ts";
import type { IssuedToken, TokenKind } from "./tokens.ts";
import type { ApiFault } from "./workspace/api-faults.ts";
import type { Prohibition } from "./workspace/permissions.ts";
import type { RequestRecord } from "./workspace/request-record.ts";

/** A running local Lakebase: a workspace API, a login front and a Postgres, until {@link LocalLakebase.close}. */
export interface LocalLakebase extends LocalIdentities, LocalResources, AsyncDisposable {
  /** Every variable that a client needs to find the workspace and the endpoint, and to log in to it as the project's owner. */
  readonly env: Record<string, string>;
  /** {@link LocalLakebase.env}, or the variables of another surrounding; each set is complete. */
  envFor(surrounding: Surrounding): Record<string, string>;
  /** PEM of the authority that has signed the certificates of both servers. */
  readonly ca: string;
  /** A file with {@link LocalLakebase.ca}. */
  readonly caFile: string;
  /** Name of the endpoint's host. It is in no DNS: dial {@link LocalLakebase.hostAddress} and ask for this name in TLS. */
  readonly host: string;
  /** The endpoint's pooled host, which refuses tokens. */
  readonly pooledHost: string;
  /** The endpoint's host for sessions that only read. */
  readonly readOnlyHost: string;
  /** Host of the same database as a Provisioned instance, with that product's words in its refusals. */
  readonly instanceHost: string;
  /** The instance's host for sessions that only read. */
  readonly instanceReadOnlyHost: string;
  /** `127.0.0.1` */
  readonly hostAddress: string;
  /** Port of the login front. */
  readonly port: number;
  /** `https://127.0.0.1:…` */
  readonly workspaceUrl: string;
  /** What `X-Databricks-Workspace-Id` says; required on a unified host. */
  readonly workspaceId: string;
  /** The account whose authorization server is at `/oidc/accounts/{accountId}`. */
  readonly accountId: string;
  /** Resource name: `projects/…/branches/…/endpoints/…` */
  readonly endpoint: string;
  /** Name of the Provisioned instance. */
  readonly instance: string;
  /** `databricks_postgres` */
  readonly database: string;
  /** The project's owner: its role exists and may create in the schema `public`. */
  readonly servicePrincipal: ServicePrincipal;
  /** A person with a role of few rights. */
  readonly user: Person;
  /** A role that logs in with a password (SCRAM). */
  readonly nativeRole: { user: string; password: string };
  /** The time of both servers. */
  readonly clock: LocalClock;
  /** Every attempt to log in, in order. */
  readonly logins: readonly LoginRecord[];
  /** What happened at the two ports besides. */
  readonly connections: Readonly<ConnectionCounts> & {
    /** Handshakes with the workspace API that did not complete. */
    readonly apiTlsFailed: number;
  };
  /** Every request to the workspace API, in order. */
  readonly requests: readonly RequestRecord[];
  /** Every token that was given out, in order, without the tokens themselves. */
  readonly issued: readonly IssuedToken[];
  /** Every secret that was ever given out, as it is: to look for leaks, never to print. */
  secrets(): string[];
  /** Sessions that are open through the front. */
  sessions(): number;
  /** URL of a superuser, straight to Postgres: to prepare and to inspect, past every check. */
  readonly postgresUrl: string;
  /** Makes things go wrong. */
  readonly faults: LocalFaults;
  /** Makes one token void, for requests and logins from now on. Open sessions go on. */
  revoke(tokenId: string): void;
  /** Makes every token of a kind void that was given out until now; default: the database credentials. */
  revokeAll(kind?: TokenKind): void;
  /**
   * Ends the sessions that are open through the front, by 57P01 (`terminate`, the default) or by RST.
   *
   * @returns how many
   */
  killConnections(how?: "terminate" | "reset"): number;
  /**
   * Scales to zero: ends every session; the next to come starts the wake, which takes `wakeDelayMs`.
   *
   * @returns how many sessions were ended
   */
  suspend(options?: { waking?: WakingBehaviour }): number;
  /** Ends everything and leaves no process, no file and no handle. May be called again. */
  close(): Promise<void>;
}

/** Faults that can be set. Each stays until it is cleared or was met as often as its `times` says. */
export interface LocalFaults {
  /** At the workspace API. */
  api(fault: ApiFault): FaultHandle;
  /** At the login front. */
  login(fault: LoginFault): FaultHandle;
  /** At the workspace API, for somebody who lacks a permission. */
  forbid(prohibition: Prohibition): FaultHandle;
  /** In the certificate of one of them. */
  tls(fault: TlsFault): FaultHandle;
  /** Takes every fault away. */
  clear(): void;
}
