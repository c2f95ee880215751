import type { Lakebase } from "@x/lakebase-core";
import type { LocalLakebase } from "@x/lakebase-local";
import type { AdapterName } from "../app/counters/counter.ts";
import type { Tally } from "../load/tally.ts";
import { expectedNames } from "../record/expected-names.ts";
import { isTokenRefused } from "../record/login-outcome.ts";

/** The state of things at one moment. Logins, tokens and names are the server's record, not what the client thinks. */
export interface Figures {
  elapsedSeconds: number;
  failures: number;
  orders: number;
  ordersBy: { adapter: AdapterName; orders: number }[];
  booksBalance: boolean;
  loginsAccepted: number;
  loginsRefused: number;
  tokensMinted: number;
  token: { id: string; status: string; remainingSeconds: number } | undefined;
  /** Startup packets that carried one of the expected names, how many of these names there were, and all packets. */
  named: { right: number; names: number; all: number };
}

interface Sources {
  local: LocalLakebase;
  lakebase: Lakebase;
  tally: Tally;
  adapters: readonly AdapterName[];
  /** By `performance.now()`. */
  startedAt: number;
}

export function readFigures({ local, lakebase, tally, adapters, startedAt }: Sources): Figures {
  const { logins } = local;
  const expected = expectedNames(adapters);
  const right = logins.flatMap(({ applicationName }) =>
    expected.includes(applicationName ?? "") ? [applicationName] : [],
  );
  const credentials = local.issued.filter(({ kind }) => kind === "credential");
  const { status, token } = lakebase.health();
  return {
    elapsedSeconds: (performance.now() - startedAt) / 1000,
    failures: tally.failures.length,
    orders: tally.acknowledged.size,
    ordersBy: adapters.map((adapter) => ({ adapter, orders: tally.takenBy.get(adapter) ?? 0 })),
    booksBalance: tally.unbalancedReports === 0,
    loginsAccepted: logins.filter(({ outcome }) => outcome === "accepted").length,
    loginsRefused: logins.filter(isTokenRefused).length,
    tokensMinted: credentials.length,
    token: token && {
      id: credentials.at(-1)?.id ?? "",
      status,
      remainingSeconds: token.remainingMs / 1000,
    },
    named: { right: right.length, names: new Set(right).size, all: logins.length },
  };
}
