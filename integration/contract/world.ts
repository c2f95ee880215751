import { createLakebase, type Lakebase, type LakebaseEvent, type LakebaseOptions } from "@x/lakebase-core";
import { type LocalLakebase, type LocalLakebaseOptions, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { ContractAdapter, ContractOptions, OpenAdapter } from "./contract-adapter.ts";

/** A local Lakebase for the tests of one file, and what happened at it since the running test began. */
export interface World {
  readonly local: LocalLakebase;
  readonly adapter: ContractAdapter;
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
