import { createLakebase, findLakebaseError } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-drizzle";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { installPrograms, type Programs } from "../../stand-ins/programs.ts";
import { applicationName } from "../app/office.ts";
import type { Display } from "../output/display.ts";
import type { Check, Section } from "../record/checks.ts";
import { prepareWays, type Way, type WayName } from "./ways.ts";

export interface IdentitiesOptions {
  names: readonly WayName[];
  display: Display;
  /** Ends the demo early. */
  signal: AbortSignal;
}

/** Longer than any token lives. */
const pauseMs = 2 * 60 * 60_000;

/** Runs one and the same program in one environment after the other, and asks the server who has come. */
export async function showIdentities({ names, display, signal }: IdentitiesOptions): Promise<Section[]> {
  const local = await startLocalLakebase({ log: (line) => display.say(line.replace(/^local Lakebase: /, "")) });
  const programs = await installPrograms(local);
  try {
    const checks: Check[] = [];
    for (const name of names) {
      signal.throwIfAborted();
      // Each time anew: what was prepared for the last one has ended since.
      const way = (await prepareWays(local, programs)).find((candidate) => candidate.name === name) as Way;
      display.say(`${way.what}: ${Object.keys(way.env).filter(isTelling).join(", ")}`);
      checks.push(await judge(way, local, programs));
    }
    return [{ title: "One program, by its environment alone; two hours pass in between", checks }];
  } finally {
    await programs[Symbol.asyncDispose]();
    await local.close();
  }
}

async function judge(way: Way, local: LocalLakebase, programs: Programs): Promise<Check> {
  const [firstRequest, firstLogin] = [local.requests.length, local.logins.length];
  const lakebase = createLakebase({ env: way.env, clock: local.clock, applicationName });
  const told: unknown[] = [];
  try {
    told.push(await whoAmI(lakebase));
    programs.advance(pauseMs);
    await way.renew?.();
    told.push(await whoAmI(lakebase));
  } catch (error) {
    told.push((findLakebaseError(error) ?? (error as Error)).message);
  } finally {
    await lakebase.close();
  }
  const logins = local.logins.slice(firstLogin);
  const tokens = new Set(logins.flatMap(({ tokenId }) => tokenId ?? []));
  const wanted = way.password === "credential" ? 2 : 0;
  const failure = told.find((answer) => answer !== way.user);
  return {
    met: failure === undefined && logins.every(({ outcome }) => outcome === "accepted") && tokens.size === wanted,
    what: way.name,
    figure: `${local.requests.length - firstRequest} calls`,
    note: `${way.what}: ${tokens.size} tokens, ${failure === undefined ? `as ${way.user}` : String(failure)}`,
  };
}

/** The program. */
async function whoAmI(lakebase: ReturnType<typeof createLakebase>): Promise<unknown> {
  const database = drizzle({ client: lakebasePool({ lakebase }) });
  try {
    const { rows } = await database.execute(sql`select current_user as user`);
    return rows[0]?.user;
  } finally {
    await database.$client.end();
  }
}

/** Where a local Lakebase is found tells nothing of who comes. */
function isTelling(variable: string): boolean {
  return !["LAKEBASE_WORKSPACE_CA", "PGHOSTADDR", "PGPORT", "PGSSLROOTCERT", "PATH", "HOME"].includes(variable);
}
