import { setImmediate } from "node:timers/promises";
import type { LakebaseEvent } from "@x/lakebase-core";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { type Dialect, type Generated, Kysely } from "kysely";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

export interface Database {
  books: { id: Generated<number>; title: string };
}

/** Kysely on a table of books at a local Lakebase, by any dialect, for the tests of one file. */
export interface Books<Options> {
  readonly local: LocalLakebase;
  /** Postgres itself, without a login front. */
  readonly observer: pg.Client;
  /** Events of the running test. */
  readonly events: LakebaseEvent[];
  /** Options that connect by environment alone. */
  environment(): { env: Record<string, string>; clock: LocalLakebase["clock"]; onEvent(event: LakebaseEvent): void };
  /** It is destroyed after the test. */
  open(options?: Options): Kysely<Database>;
  /** Waits until so many sessions run a statement with this text. */
  runs(text: string, sessions?: number): Promise<void>;
}

export function openBooks<Options>(
  dialect: (options: Options | undefined, environment: () => ReturnType<Books<Options>["environment"]>) => Dialect,
): Books<Options> {
  let local: LocalLakebase;
  let observer: pg.Client;
  const opened: Kysely<Database>[] = [];
  const events: LakebaseEvent[] = [];

  beforeAll(async () => {
    local = await startLocalLakebase({ log: () => {} });
    observer = new pg.Client(local.postgresUrl);
    await observer.connect();
    const db = books.open();
    await db.schema
      .createTable("books")
      .addColumn("id", "serial", (column) => column.primaryKey())
      .addColumn("title", "text", (column) => column.notNull())
      .execute();
    await db.destroy();
  });
  afterAll(async () => {
    await observer.end();
    await local.close();
  });
  beforeEach(() => {
    events.length = 0;
  });
  afterEach(async () => {
    local.faults.clear();
    await Promise.all(opened.splice(0).map((db) => db.destroy()));
    // Whatever a test has done to its connections, the end of Kysely is the end of all of them.
    while (local.sessions() > 0) await setImmediate();
  });

  const books: Books<Options> = {
    get local() {
      return local;
    },
    get observer() {
      return observer;
    },
    events,
    environment: () => ({ env: local.env, clock: local.clock, onEvent: (event) => void events.push(event) }),
    open(options) {
      const db = new Kysely<Database>({ dialect: dialect(options, books.environment) });
      opened.push(db);
      return db;
    },
    async runs(text, sessions = 1) {
      const running =
        "select from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()";
      while ((await observer.query(running, [`%${text}%`])).rowCount !== sessions) await setImmediate();
    },
  };
  return books;
}
