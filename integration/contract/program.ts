// A user's program in miniature, for the lines on processes: node program.ts <adapter> <scenario>
import type { ContractAdapter } from "./contract-adapter.ts";
import { errorLinks } from "./error-links.ts";

const [name, scenario] = process.argv.slice(2);
const [adapter] = Object.values<ContractAdapter>(await import(`./adapters/${name}.ts`));
if (!adapter) throw new Error(`adapters/${name}.ts exports no adapter`);

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
    for (const link of errorLinks(error)) console.log(link.code, link.originalMessage ?? link.message);
    // Not ended: a login that failed has left nothing to end.
    break;
  }
  case "background-refresh": {
    // The token is stale from the start by this clock, so that the query starts a refresh; nobody waits for it.
    let offset = 0;
    const clock = { now: () => Date.now() + offset, monotonic: () => performance.now() + offset };
    const app = adapter.open({ clock, max: 2 });
    await app.query("select 1");
    offset = 45 * 60_000;
    await Promise.all([1, 2].map(() => app.query("select pg_sleep(0.02)::text")));
    await app.end();
    console.log("done");
    break;
  }
  default:
    throw new Error(`unknown scenario ${scenario}`);
}
