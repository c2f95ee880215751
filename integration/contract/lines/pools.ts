import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { outcomes, times, type World } from "../world.ts";

export function poolLines(world: World): void {
  const pids = (queries: Promise<Record<string, unknown>[]>[]) =>
    Promise.all(queries).then((answers) => answers.map(([row]) => Number(row?.pid)));
  const pidAfter = (seconds: number) => `select pg_backend_pid() as pid, pg_sleep(${seconds})::text`;

  test("opens no connection before it is needed, no more than `max`, and closes idle ones", async () => {
    const app = world.open({ max: 4, idleTimeoutMillis: 20 });
    expect(world.arrivals().connections).toBe(0);
    const used = await pids(times(12, () => app.query(pidAfter(0.02))));
    expect(new Set(used).size).toBe(4);
    expect(world.logins()).toHaveLength(4);
    while (world.local.sessions() > 0) await setImmediate();
  });

  world.line(
    "lifetime",
    "replaces connections at the end of their lifetime, under load, without a failed query",
    async () => {
      const app = world.open({ max: 3, maxLifetimeSeconds: 0.3 });
      const first = await pids(times(3, () => app.query(pidAfter(0.02))));
      for (let seen = first; seen.some((pid) => first.includes(pid)); ) {
        const { failures } = await outcomes([
          pids(times(3, () => app.query(pidAfter(0.005)))).then((now) => {
            seen = now;
          }),
        ]);
        expect(failures).toEqual([]);
      }
      expect(world.requests("credential")).toHaveLength(1);
    },
  );

  test("reads from the read-only host when asked to, and never mixes the two", async () => {
    const lakebase = world.handle();
    const writing = world.open({ lakebase, applicationName: "writing", max: 3 });
    const reading = world.open({ lakebase, applicationName: "reading", access: "read-only", max: 3 });
    const where = await Promise.all(
      times(12, (index) =>
        (index % 2 ? writing : reading).query("select pg_is_in_recovery() as reads, pg_sleep(0.02)::text"),
      ),
    );
    expect(where.map(([row]) => row?.reads)).toEqual(times(12, (index) => index % 2 === 0));
    const hosts = new Set(world.logins().map(({ applicationName, host }) => `${applicationName} ${host}`));
    expect(hosts).toEqual(new Set([`writing ${world.local.host}`, `reading ${world.local.readOnlyHost}`]));
    expect(world.requests("credential")).toHaveLength(1);
  });
}
