// A user's program in miniature, for the lines on processes: node program.ts <adapter> <scenario>
import { drizzleAdapter } from "./drizzle.ts";
import { pgAdapter } from "./pg.ts";

const adapters = [pgAdapter, drizzleAdapter];
const [name, scenario] = process.argv.slice(2);
const adapter = adapters.find((candidate) => candidate.name === name);
if (!adapter) throw new Error(`unknown adapter ${name}`);

switch (scenario) {
  case "query": {
    const app = adapter.open({});
    const [row] = await app.query("select 1 as one");
    console.log(row?.one);
    await app.end();
    break;
  }
  case "failure": {
    const app = adapter.open({ connectTimeoutMs: 5000 });
    const error = await app.query("select 1").catch((reason) => reason);
    console.log(String(error.cause?.code ?? error.code), String(error.cause?.message ?? error.message));
    // Not ended: a login that failed has left nothing to end.
    break;
  }
  case "background-refresh": {
    // The token is stale from the start by this clock, so that the query starts a refresh; nobody waits for it.
    let offset = 0;
    const clock = { now: () => Date.now() + offset, monotonic: () => performance.now() + offset };
    const app = adapter.open({ clock, maxUses: 1 });
    await app.query("select 1");
    offset = 45 * 60_000;
    await app.query("select 1");
    await app.end();
    console.log("done");
    break;
  }
  default:
    throw new Error(`unknown scenario ${scenario}`);
}
