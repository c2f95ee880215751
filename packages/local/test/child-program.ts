// Started by process.test.ts: holds a local Lakebase, closes it when its input ends, and does nothing to exit.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startLocalLakebase } from "../src/index.ts";

const env = JSON.parse(process.argv[2] ?? "{}");
const lakebase = await startLocalLakebase({ env: { ...process.env, ...env }, log: () => {} });
const folder = dirname(lakebase.caFile);
const postmaster = Number(readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n")[0]);
process.stdout.write(JSON.stringify({ folder, postmaster }));
process.stdin.resume();
await once(process.stdin, "end");
await lakebase.close();
