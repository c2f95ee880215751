// Prints how each way to a connection ends where pg-native is installed.
import { LakebaseClient, lakebasePool, lakebasePoolConfig } from "@x/lakebase-core/pg";
import pg from "pg";

async function outcome(open) {
  try {
    const pool = open();
    const { rows } = await pool.query("select 1 as one");
    await pool.end();
    return rows[0].one;
  } catch ({ code, message }) {
    return `${code}: ${message}`;
  }
}

console.log(
  JSON.stringify({
    installed: pg.native !== null,
    pool: await outcome(() => lakebasePool()),
    config: await outcome(() => new pg.Pool(lakebasePoolConfig())),
    client: await outcome(() => {
      const client = new LakebaseClient();
      return { query: (text) => client.connect().then(() => client.query(text)), end: () => client.end() };
    }),
  }),
);
