import { lakebasePool } from "@x/lakebase-core/pg";
import { lakebasePostgres } from "@x/lakebase-core/postgres-js";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let local: LocalLakebase;
const warnings: Error[] = [];
const onWarning = (warning: Error) => void warnings.push(warning);

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {}, allowMissingSni: true });
  process.on("warning", onWarning);
});
afterAll(async () => {
  process.off("warning", onWarning);
  await local.close();
});
beforeEach(() => {
  warnings.length = 0;
});

const options = (host: string) => ({
  env: {},
  host,
  hostAddress: "127.0.0.1",
  port: local.port,
  ...local.nativeRole,
  ssl: { ca: local.ca },
});

const seams = {
  async pg(host: string) {
    await using pool = lakebasePool(options(host));
    return (await pool.query("select 1 as one")).rows;
  },
  async "postgres.js"(host: string) {
    const sql = lakebasePostgres(options(host));
    return Promise.resolve(sql`select 1 as one`).finally(() => sql.end());
  },
};

// Node 26 refuses an address in the place of a name, and older ones warn.
test.each(Object.entries(seams))("%s verifies an address in the certificate, and asks for no name", async (_, ask) => {
  expect(await ask("127.0.0.1")).toEqual([{ one: 1 }]);
  expect(local.logins.at(-1)?.host).toBeUndefined();
  expect(warnings).toEqual([]);
});

test.each(Object.entries(seams))("%s refuses an address that the certificate does not name", async (_, ask) => {
  await expect(ask("127.0.0.2")).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});
