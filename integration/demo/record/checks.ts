import { formatApplicationName, type LakebaseDetection } from "@x/lakebase-core";
import type { LocalLakebase, LoginRecord } from "@x/lakebase-local";
import type { AdapterName } from "../app/counters/counter.ts";
import { nameOfCounter } from "../app/counters/open-counters.ts";
import { applicationName } from "../app/office.ts";
import type { FaultsPlayed } from "../faults/script.ts";
import { orderKey, type Tally } from "../load/tally.ts";
import { grouped, inSeconds } from "../output/numbers.ts";
import { expectedNames } from "./expected-names.ts";
import { isTokenRefused, isToldToWait } from "./login-outcome.ts";
import type { PostgresRecord } from "./postgres-record.ts";

/** One line of the summary. */
export interface Check {
  /** `undefined`: nothing to be met, only to be known. */
  met: boolean | undefined;
  what: string;
  figure: string;
  note: string;
}

export interface Section {
  title: string;
  checks: Check[];
}

export interface Evidence {
  local: LocalLakebase;
  postgres: PostgresRecord;
  faults: FaultsPlayed;
  tally: Tally;
  detection: LakebaseDetection;
  adapters: readonly AdapterName[];
  seconds: number;
  tokenLifeSeconds: number;
}

export function judge(evidence: Evidence): Section[] {
  return [
    { title: "Tokens, by the server's record", checks: tokenChecks(evidence) },
    { title: "Orders, by who has taken them", checks: adapterChecks(evidence) },
    { title: "Data, by Postgres's record", checks: dataChecks(evidence) },
    { title: "The partner guide's checklist", checks: partnerChecks(evidence) },
  ];
}

/** Tokens: what came and went, and that the service did not notice. */
function tokenChecks({ local, faults, seconds, tokenLifeSeconds }: Evidence): Check[] {
  const { revocation, outage, suspension } = faults;
  const accepted = local.logins.filter(isAccepted);
  const refused = local.logins.filter(isTokenRefused);
  const tokensUsed = new Set(accepted.map(({ tokenId }) => tokenId)).size;
  const credentials = local.issued.filter(({ kind }) => kind === "credential").length;
  const refusedAsRevoked = refused.filter(({ tokenId = "" }) => revocation.tokenIds.includes(tokenId)).length;
  const toldToWait = local.logins.filter(isToldToWait).length;
  const unanswered = local.logins.length - accepted.length - refused.length - toldToWait;
  const failedRequests = outage.requests.filter(({ status }) => status === 503).length;
  const mintedInOutage = outage.requests.filter(
    ({ operation, status }) => operation === "credential" && status === 200,
  );
  const servedInOutage = outage.logins.filter(isAccepted).length;
  return [
    {
      met: tokensUsed - 1 >= Math.floor(seconds / tokenLifeSeconds),
      what: "rotations survived",
      figure: `${tokensUsed - 1}`,
      note: `${tokensUsed} tokens logged in, each lives ${tokenLifeSeconds} s`,
    },
    {
      met: accepted.length > 0 && unanswered === 0,
      what: "logins accepted",
      figure: `${accepted.length}`,
      note: `of ${local.logins.length} attempts; ${toldToWait} were told to wait`,
    },
    {
      met: refused.length > 0 && refusedAsRevoked === refused.length,
      what: "logins refused",
      figure: `${refused.length}`,
      note: `${refusedAsRevoked} with the revoked ${revocation.tokenIds.join(", ")}`,
    },
    {
      met: revocation.mints === 1,
      what: "mints to replace it",
      figure: `${revocation.mints}`,
      note: `${credentials} tokens minted in all`,
    },
    {
      met: failedRequests > 0 && servedInOutage > 0 && mintedInOutage.length === 0,
      what: "token endpoint failed",
      figure: `${failedRequests}`,
      note: `503s in ${inSeconds(outage.durationMs)}; ${servedInOutage} logins with the old token`,
    },
    {
      met: suspension.sessionsEnded > 0 && suspension.logins.some(isToldToWait) && suspension.logins.some(isAccepted),
      what: "suspensions survived",
      figure: "1",
      note: `${suspension.sessionsEnded} sessions ended, awake again in ${inSeconds(suspension.awakeAfterMs)}`,
    },
  ];
}

/** Data: what the clients were told, against what is in the database. */
function dataChecks({ postgres, tally }: Evidence): Check[] {
  const written = new Set(postgres.orders.map(({ id }) => id));
  const lost = [...tally.acknowledged.values()].filter((id) => !written.has(id)).length;
  // Also what was written only once, but behind the back of a worker that was told it had failed.
  const surplus = postgres.orders.filter(
    ({ id, worker, number }) => tally.acknowledged.get(orderKey(worker, number)) !== id,
  ).length;
  const { stockDifference, centsDifference, lineCentsDifference } = postgres.books;
  const { statements, rollbacks } = postgres;
  return [
    {
      met: tally.failures.length === 0 && rollbacks === 0,
      what: "failed queries",
      figure: `${Math.max(tally.failures.length, rollbacks)}`,
      note: `${statements === undefined ? "" : `of ${grouped(statements)}; `}Postgres has undone ${rollbacks} transactions`,
    },
    {
      met: tally.acknowledged.size > 0 && lost === 0,
      what: "lost orders",
      figure: `${lost}`,
      note: `${grouped(tally.acknowledged.size)} acknowledged`,
    },
    {
      met: surplus === 0,
      what: "doubled orders",
      figure: `${surplus}`,
      note: `${grouped(postgres.orders.length)} written`,
    },
    {
      met: stockDifference === 0,
      what: "stock difference",
      figure: `${stockDifference}`,
      note: "stock and sold, against the opening stock",
    },
    {
      met: centsDifference === 0 && lineCentsDifference === 0,
      what: "money difference",
      figure: (Math.max(Math.abs(centsDifference), Math.abs(lineCentsDifference)) / 100).toFixed(2),
      note: "owned and spent, against the opening",
    },
    {
      met: tally.reports > 0 && tally.unbalancedReports === 0,
      what: "unbalanced reports",
      figure: `${tally.unbalancedReports}`,
      note: `of ${tally.reports} while orders were taken`,
    },
  ];
}

/** One library after the other: its orders, and its logins by the name in their startup packets. */
function adapterChecks({ local, postgres, tally, adapters }: Evidence): Check[] {
  return adapters.map((adapter) => {
    const written = postgres.orders.filter(({ takenBy }) => takenBy === adapter).length;
    const name = formatApplicationName(nameOfCounter(adapter));
    const logins = local.logins.filter((login) => login.applicationName === name && isAccepted(login)).length;
    return {
      met: written > 0 && written === tally.takenBy.get(adapter) && logins > 0,
      what: adapter,
      figure: grouped(written),
      note: `${logins} logins as ${name}`,
    };
  });
}

/** The checklist of the partner guide, as far as a running service can meet it. */
function partnerChecks({ local, detection, adapters }: Evidence): Check[] {
  const name = formatApplicationName(applicationName);
  const names = expectedNames(adapters);
  const { logins, requests } = local;
  const named = logins.filter((login) => names.includes(login.applicationName ?? "")).length;
  const leading = requests.filter(({ userAgent }) => userAgent?.split(" ", 1)[0] === name).length;
  const accepted = logins.filter(isAccepted);
  const byToken = accepted.filter(({ tokenId }) => tokenId !== undefined).length;
  const grants = requests.filter(({ operation }) => operation === "token");
  const machine = grants.filter(({ body }) => /(^|&)grant_type=client_credentials(&|$)/.test(body)).length;
  const mints = requests.filter(({ operation, status }) => operation === "credential" && status === 200).length;
  const modern = logins.filter(({ tls }) => tls === "TLSv1.2" || tls === "TLSv1.3").length;
  const preloaded = ["neon", "databricks_auth"].every((name) => detection.evidence.preloadLibraries?.includes(name));
  return [
    {
      met: undefined,
      what: "supported connector",
      figure: "pg",
      note: "node-postgres, on the same protocol as psql; the guide lists none for JavaScript",
    },
    {
      met: logins.length > 0 && named === logins.length,
      what: "application_name",
      figure: share(named, logins.length),
      note: "startup packets with the partner's name",
    },
    {
      met: requests.length > 0 && leading === requests.length,
      what: "User-Agent",
      figure: share(leading, requests.length),
      note: `workspace requests, ${name} first`,
    },
    {
      met: grants.length > 0 && machine === grants.length && byToken === accepted.length,
      what: "OAuth, nobody asked",
      figure: share(byToken, accepted.length),
      note: "logins by token; client credentials (M2M)",
    },
    {
      met: mints > 1,
      what: "refresh in connecting",
      figure: `${mints}`,
      note: "tokens fetched in logins, none by the app",
    },
    {
      met: logins.length > 0 && modern === logins.length && local.connections.plaintextRefused === 0,
      what: "TLS 1.2 or newer",
      figure: share(modern, logins.length),
      note: `logins, verified; ${[...new Set(logins.map(({ tls }) => tls))].join(", ")}`,
    },
    {
      met: detection.isLakebase,
      what: "told from Postgres",
      figure: detection.isLakebase ? "Lakebase" : "plain",
      note: preloaded ? "it preloads neon and databricks_auth" : "by its settings and roles",
    },
    {
      met: undefined,
      what: "not shown here",
      figure: "",
      note: "named connector, the partner's own documents",
    },
  ];
}

function isAccepted({ outcome }: LoginRecord): boolean {
  return outcome === "accepted";
}

function share(part: number, whole: number): string {
  return part === whole ? `all ${whole}` : `${part} of ${whole}`;
}
