import { lakebasePostgres } from "@x/lakebase-drizzle/postgres-js";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import { npmVersion } from "drizzle-orm/version";
import postgres from "postgres";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";
import { prepared, statement, withMigration } from "../drizzle-texts.ts";
import { holes, plainOptions, refuses, toPostgresJs, visibleResult } from "../postgres-js-words.ts";

const throughClient =
  "Drizzle has no word for it: its users take the client, `db.$client`, which is what the member postgres-js shows";

/** Else postgres.js prints what Drizzle's migrator finds done already. */
const onnotice = () => {};

export const drizzlePostgresJsAdapter: ContractAdapter = {
  name: "drizzle-postgres-js",
  defaultName: "drizzle",
  packages: ["drizzle-orm", "postgres"],
  open: (options) => adapt(lakebasePostgres({ ...toPostgresJs(options), onnotice })),
  openPlain: (url) => adapt(postgres({ ...plainOptions(url), onnotice })),
  refuses,
  lacks: {
    stream: throughClient,
    cancellable: throughClient,
    copyIn: throughClient,
    copyOut: throughClient,
    listen: throughClient,
    notices: throughClient,
    "migrations down": "Drizzle's migrations have no way back",
    "clean results after an error": holes,
    ...(npmVersion.startsWith("0.44.") && { prepared: "Drizzle has postgres.js keep statements since 0.45" }),
  },
};

function adapt(client: postgres.Sql): OpenAdapter {
  const db = drizzle({ client });
  type Transaction = Parameters<Parameters<typeof db.transaction>[0]>[0];
  const inside = (tx: Transaction): OpenTransaction => ({
    query: async (text, parameters) => [...(await tx.execute<Row>(statement(text, parameters)))],
    savepoint: (run) => tx.transaction((nested) => run(inside(nested))),
  });
  return {
    visible: db,
    query: async (text, parameters) => [...(await db.execute<Row>(statement(text, parameters)))],
    answer: async (text, parameters) => visibleResult(await db.execute(statement(text, parameters))),
    transaction: (run) => db.transaction((tx) => run(inside(tx))),
    end: () => db.$client.end(),
    // The statement is postgres.js' own to name.
    prepared: (name, text, parameters) => prepared(db, name, text, parameters),
    script: async (text) => void (await db.execute(sql.raw(text))),
    migrator: (table) => ({ up: () => withMigration(table, (config) => migrate(db, config)) }),
  };
}
