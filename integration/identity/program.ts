// A user's program in miniature. It names no identity and no database: where it runs decides.
import { lakebasePool } from "@x/lakebase-drizzle";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";

const database = drizzle({ client: lakebasePool({ applicationName: { isv: "acme" } }) });
const { rows } = await database.execute(sql`
  select current_user as user, current_database() as database, current_setting('application_name') as name`);
await database.$client.end();
console.log(JSON.stringify(rows[0]));
