// An application that is bundled and minified: prints the names that are left of its classes, and what rolled-back
// transactions left in the table `rows`.
import { findLakebaseError } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-drizzle";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";

class ApplicationPool {}

const db = drizzle({ client: lakebasePool({ max: 8 }) });
await db.execute(sql`create table rows (id int)`);
const transactions = Array.from({ length: 40 }, () =>
  db.transaction(async (tx) => {
    for (let id = 0; id < 3; id += 1) await tx.execute(sql`insert into rows values (${id})`);
    throw new Error("changed my mind");
  }),
);
const outcomes = await Promise.allSettled(transactions);
const { rowCount } = await db.execute(sql`select from rows`);
const client = await db.$client.connect();
const clientName = client.constructor.name;
client.release();
await db.$client.end();

const broken = lakebasePool({ env: {} });
const error = findLakebaseError(await broken.query("select 1").catch((reason) => reason));
console.log(
  JSON.stringify({
    names: {
      application: ApplicationPool.name,
      pool: db.$client.constructor.name,
      client: clientName,
      error: error?.name,
    },
    rejected: outcomes.filter(({ status }) => status === "rejected").length,
    left: rowCount,
  }),
);
