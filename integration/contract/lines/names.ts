import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatApplicationName } from "@x/lakebase-core";
import { expect, test } from "vitest";
import type { World } from "../world.ts";

export function nameLines(world: World): void {
  test("runs on the versions that the table of results names", ({ task }) => {
    const versions = Object.fromEntries(world.adapter.packages.map((name) => [name, installedVersion(name)]));
    task.meta.versions = versions;
    expect(Object.keys(versions).length).toBeGreaterThan(0);
    for (const version of Object.values(versions)) expect(version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("sends the application name in the startup packet of every login, and once", async () => {
    const app = world.open({ applicationName: { isv: "acme" }, max: 3 });
    await Promise.all([1, 2, 3].map(() => app.query("select pg_sleep(0.02)::text")));
    const startups = world.logins().map(({ startup }) => startup);
    expect(startups).toHaveLength(3);
    expect(new Set(startups.map((startup) => startup.application_name))).toEqual(new Set(["acme+lakebase"]));
    expect(await app.query("select application_name from pg_stat_activity where pid = pg_backend_pid()")).toEqual([
      { application_name: "acme+lakebase" },
    ]);
  });

  test("leads the User-Agent of every workspace call with the same name", async () => {
    const name = formatApplicationName({ isv: "acme", product: "etl", version: "3.5" });
    const { PGHOST: _, ...env } = world.local.env;
    await world.open({ ...world.options(env), applicationName: name }).query("select 1");
    const agents = world.requests().map(({ userAgent }) => userAgent);
    expect(agents).toHaveLength(4);
    for (const agent of agents) expect(agent).toMatch(/^acme_etl\/3\.5 x-lakebase\/\d+\.\d+\.\d+ node\/\d+\.\d+\.\d+$/);
  });

  test("takes PGAPPNAME where no option names it, and its own default where nobody does", async () => {
    const named = world.open({ ...world.options({ ...world.local.env, PGAPPNAME: "from-environment" }) });
    await named.query("select 1");
    await world.open().query("select 1");
    expect(world.logins().map(({ applicationName }) => applicationName)).toEqual([
      "from-environment",
      expect.stringMatching(new RegExp(`^x-lakebase-${world.adapter.defaultName}/\\d+\\.\\d+\\.\\d+$`)),
    ]);
  });

  test("sends a name of 63 bytes whole and refuses a longer or foreign one", async () => {
    const longest = "n".repeat(63);
    await world.open({ applicationName: longest }).query("select 1");
    expect(world.logins()[0]?.applicationName).toBe(longest);
    for (const applicationName of ["n".repeat(64), "akmé", "two\nlines", " "]) {
      expect(() => world.open({ applicationName })).toThrow(/applicationName/);
    }
    expect(() => world.open(world.options({ ...world.local.env, PGAPPNAME: "é" }))).toThrow(/PGAPPNAME/);
  });
}

/** As Node would find it from here; not all packages let themselves be asked for their manifest. */
function installedVersion(name: string): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "node_modules", name, "package.json");
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, "utf8")).version;
  }
  throw new Error(`${name} is not installed`);
}
