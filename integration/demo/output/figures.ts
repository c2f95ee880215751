import { formatApplicationName } from "@x/lakebase-core";
import type { LakebasePool } from "@x/lakebase-drizzle";
import type { LocalLakebase } from "@x/lakebase-local";
import { applicationName } from "../app/database.ts";
import type { Tally } from "../load/tally.ts";
import { isTokenRefused } from "../record/login-outcome.ts";

/** The state of things at one moment. Logins, tokens and names are the server's record, not what the client thinks. */
export interface Figures {
  elapsedSeconds: number;
  statements: number;
  failures: number;
  orders: number;
  booksBalance: boolean;
  loginsAccepted: number;
  loginsRefused: number;
  tokensMinted: number;
  token: { id: string; status: string; remainingSeconds: number } | undefined;
  applicationNames: string[];
  /** Startup packets that carried the expected name, and all. */
  named: { right: number; all: number };
}

interface Sources {
  local: LocalLakebase;
  pool: LakebasePool;
  tally: Tally;
  /** By `performance.now()`. */
  startedAt: number;
}

const expectedName = formatApplicationName(applicationName);

export function readFigures({ local, pool, tally, startedAt }: Sources): Figures {
  const { logins } = local;
  const names = logins.map((login) => login.applicationName ?? "(none)");
  const credentials = local.issued.filter(({ kind }) => kind === "credential");
  const { status, token } = pool.lakebase.health();
  return {
    elapsedSeconds: (performance.now() - startedAt) / 1000,
    statements: tally.statements,
    failures: tally.failures.length,
    orders: tally.acknowledged.size,
    booksBalance: tally.unbalancedReports === 0,
    loginsAccepted: logins.filter(({ outcome }) => outcome === "accepted").length,
    loginsRefused: logins.filter(isTokenRefused).length,
    tokensMinted: credentials.length,
    token: token && {
      id: credentials.at(-1)?.id ?? "",
      status,
      remainingSeconds: token.remainingMs / 1000,
    },
    applicationNames: [...new Set(names)],
    named: { right: names.filter((name) => name === expectedName).length, all: names.length },
  };
}
