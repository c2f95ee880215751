import { detectLakebase } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { expect, test } from "vitest";

test("does not take plain Postgres for Lakebase, whoever asks", async () => {
  await using local = await startLocalLakebase({ profile: "plain", log: () => {} });
  await using owner = lakebasePool({ env: local.env, clock: local.clock });
  expect(await detectLakebase((sql) => owner.query(sql))).toEqual({
    isLakebase: false,
    evidence: { lakebaseMode: null, preloadLibraries: null, databricksRoles: false, databricksAuth: false },
  });
  const superuser = new pg.Client(local.postgresUrl);
  await superuser.connect();
  const detection = await detectLakebase((sql) => superuser.query(sql));
  await superuser.end();
  expect(detection.isLakebase).toBe(false);
  expect(detection.evidence.preloadLibraries).not.toContain("neon");
});

test("takes rows as drivers give them: in `rows`, or as an array", async () => {
  const row = { lakebase_mode: "on", preload_libraries: null, databricks_roles: true, databricks_auth: true };
  for (const result of [{ rows: [row] }, [row]]) {
    expect((await detectLakebase(async () => result)).isLakebase).toBe(true);
  }
  await expect(detectLakebase(async () => "nonsense")).rejects.toThrow(/rows/);
});
