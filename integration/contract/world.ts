import { setImmediate } from "node:timers/promises";
import { createLakebase, type Lakebase, type LakebaseEvent, type LakebaseOptions } from "@x/lakebase-core";
import { type LocalLakebase, type LocalLakebaseOptions, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, test } from "vitest";
import type { Capability, ContractAdapter, ContractOptions, OpenAdapter } from "./contract-adapter.ts";
import { errorLinks } from "./error-links.ts";

declare module "vitest" {
  interface TaskMeta {
    /** Why a host lacks what a line is about. */
    lacks?: string;
    /** Packages of the host and what is installed of them. */
    versions?: Record<string, string>;
  }
}

/** A local Lakebase for the tests of one file, and what happened at it since the running test began. */
export interface World {
  readonly local: LocalLakebase;
  readonly adapter: ContractAdapter;
  /** The member's name as a part of names in SQL. */
  readonly sqlName: string;
  /** Options that connect by environment alone, on the clock of both sides. */
  options(env?: Record<string, string>): { env: Record<string, string>; clock: LocalLakebase["clock"] };
  /** Opens the adapter; it is ended after the test. Options beyond the environment are added to it. */
  open(options?: Partial<ContractOptions>): OpenAdapter;
  /** A handle; it is closed after the test. */
  handle(options?: LakebaseOptions): Lakebase;
  /** Events of everything that was opened in this test. */
  readonly events: LakebaseEvent[];
  logins(): LocalLakebase["logins"];
  requests(operation?: string): LocalLakebase["requests"];
  /** Ends every session at the server and waits until the clients know, so that the next query is a login. */
  endSessions(local?: LocalLakebase): Promise<void>;
  /** A line on what not every host can do. For one that cannot, the reason stands in the table in place of a result. */
  line(capability: Capability, title: string, run: () => Promise<void>): void;
  /** Connections that arrived at the login front, and bytes of password among them. */
  arrivals(): { connections: number; passwordBytes: number };
}

/** Sets a world up for the tests of one adapter. */
export function createWorld(adapter: ContractAdapter, localOptions: LocalLakebaseOptions = {}): World {
  let local: LocalLakebase;
  let mark = { logins: 0, requests: 0, accepted: 0, passwordBytes: 0 };
  const opened: (() => Promise<void>)[] = [];
  const events: LakebaseEvent[] = [];
  const onEvent = (event: LakebaseEvent) => events.push(event);

  beforeAll(async () => {
    local = await startLocalLakebase({ log: () => {}, ...localOptions });
  });
  afterAll(() => local.close());
  beforeEach(() => {
    const { accepted, passwordBytes } = local.connections;
    mark = { logins: local.logins.length, requests: local.requests.length, accepted, passwordBytes };
    events.length = 0;
  });
  afterEach(async () => {
    local.faults.clear();
    await Promise.all(opened.splice(0).map((end) => end()));
  });

  const world: World = {
    get local() {
      return local;
    },
    adapter,
    sqlName: adapter.name.replaceAll("-", "_"),
    events,
    options: (env = local.env) => ({ env, clock: local.clock }),
    open(options = {}) {
      const merged = "lakebase" in options ? options : { ...world.options(), onEvent, ...options };
      const adapted = adapter.open(merged as ContractOptions);
      opened.push(() => adapted.end());
      return adapted;
    },
    handle(options = {}) {
      const handle = createLakebase({ ...world.options(), onEvent, ...options });
      opened.push(() => handle.close());
      return handle;
    },
    logins: () => local.logins.slice(mark.logins),
    requests: (operation) =>
      local.requests.slice(mark.requests).filter((request) => !operation || request.operation === operation),
    async endSessions(of = local) {
      const losses = () => events.filter(({ type }) => type === "connectionLost").length;
      const expected = losses() + of.killConnections("terminate");
      while (losses() < expected) await setImmediate();
    },
    line(capability, title, run) {
      const reason = adapter.lacks[capability];
      if (reason === undefined) test(title, run);
      else
        test(title, ({ task, skip }) => {
          task.meta.lacks = reason;
          skip(reason);
        });
    },
    arrivals: () => ({
      connections: local.connections.accepted - mark.accepted,
      passwordBytes: local.connections.passwordBytes - mark.passwordBytes,
    }),
  };
  return world;
}

/** The error of a promise that must be rejected. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: unknown }> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  if ("error" in outcome) return outcome.error;
  throw new Error("expected a rejection, but it was resolved");
}

/** The error of a call that must throw. */
export function thrown(
  run: () => unknown,
): Error & { code?: unknown; problems?: { option: string; variable?: string }[] } {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected an exception, but there was none");
}

/** A method of a capability, which a member must have when it does not say that it lacks it. */
export function able<Method>(method: Method | undefined): Method {
  if (method === undefined) throw new Error("the member neither has this capability nor names it in `lacks`");
  return method;
}

/** The server's own error, by its SQLSTATE, inside of whatever the host has wrapped around it. */
export function serverError(error: unknown): { code: string; message: unknown } | undefined {
  for (const link of errorLinks(error)) {
    const { code = link.originalCode, message = link.originalMessage } = link;
    if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) return { code, message };
  }
  return undefined;
}

/** Runs tasks side by side and counts how they ended. */
export async function outcomes(tasks: Promise<unknown>[]): Promise<{ succeeded: number; failures: Error[] }> {
  const settled = await Promise.allSettled(tasks);
  return {
    succeeded: settled.filter(({ status }) => status === "fulfilled").length,
    failures: settled.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])),
  };
}

/** `count` new numbers from 0. */
export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Waits until Postgres runs a statement with this text in so many sessions, by default in one at least. */
export async function runs(world: World, text: string, sessions?: 0): Promise<void> {
  const observer = new pg.Client(world.local.postgresUrl);
  await observer.connect();
  const sql =
    "select count(*)::int as n from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()";
  const running = async () => (await observer.query(sql, [`%${text}%`])).rows[0].n > 0;
  while ((await running()) === (sessions === 0)) await setImmediate();
  await observer.end();
}
