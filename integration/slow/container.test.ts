import { lakebasePool } from "@x/lakebase-core/pg";
import { startLocalLakebase } from "@x/lakebase-local";
import { expect, test } from "vitest";

declare module "vitest" {
  interface TaskMeta {
    /** Why a test was not run, for the account of `npm run test:all`. */
    notRun?: string;
  }
}

test("Postgres from testcontainers", async ({ task, skip }) => {
  const log: string[] = [];
  const env = { ...process.env, LAKEBASE_TEST_PROVIDER: "docker" };
  const local = await startLocalLakebase({ env, log: (line) => log.push(line) }).catch((error: Error) => {
    const [noEngine] = /^no Docker engine answers/.exec(error.message) ?? [];
    if (noEngine === undefined) throw error;
    task.meta.notRun = noEngine;
    return skip(error.message);
  });
  expect(log).toEqual([
    expect.stringMatching(/^local Lakebase: Postgres 17\.\d+ \(container of postgres:17-alpine\)$/),
  ]);

  const options = { env: local.env, clock: local.clock, applicationName: { isv: "acme" } } as const;
  const pool = lakebasePool(options);
  const readers = lakebasePool({ ...options, access: "read-only" });
  try {
    await pool.query("create table t (id int)");
    await pool.query("insert into t values (1)");
    expect((await readers.query("select id, pg_is_in_recovery() as replica from t")).rows).toEqual([
      { id: 1, replica: true },
    ]);
    await expect(readers.query("insert into t values (2)")).rejects.toMatchObject({ code: "25006" });

    const mark = local.logins.length;
    local.clock.advance(3_600_000);
    local.killConnections("terminate");
    // The pool learns of the end of its idle connection some time after; the query that meets it fails.
    await expect.poll(() => pool.totalCount).toBe(0);
    const detected =
      "select current_setting('neon.lakebase_mode', true) as mode, current_setting('application_name') as name";
    expect((await pool.query(detected)).rows).toEqual([{ mode: "on", name: "acme+lakebase" }]);
    expect(local.logins.slice(mark).map(({ outcome }) => outcome)).toEqual(["accepted"]);
  } finally {
    await Promise.all([pool.end(), readers.end()]);
    await local.close();
  }
});
