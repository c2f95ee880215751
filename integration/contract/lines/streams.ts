import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { able, rejection, runs, type World } from "../world.ts";

export function streamLines(world: World): void {
  const sequence = `streamed_${world.sqlName}`;

  world.line("stream", "streams 50 000 rows in their order", async () => {
    const app = world.open({ max: 1 });
    let expected = 0;
    for await (const row of able(app.stream)("select g::int as n from generate_series(1, 50000) g")) {
      expected += 1;
      if (row.n !== expected) expect(row.n).toBe(expected);
    }
    expect(expected).toBe(50_000);
    expect(await app.query("select 1 as one")).toEqual([{ one: 1 }]);
  });

  world.line(
    "stream",
    "keeps a large result at the server while nobody reads on, and ends it when the loop ends",
    async () => {
      const app = world.open({ max: 2 });
      await app.query(`create sequence ${sequence}`);
      const rows = 200_000;
      const wide = `select nextval('${sequence}')::int as n, repeat('x', 1000) as pad from generate_series(1, ${rows})`;
      let read = 0;
      for await (const row of able(app.stream)(wide)) {
        expect(row.pad).toHaveLength(1000);
        read += 1;
        if (read === 50) {
          // As far as the server gets by itself: what the sockets' buffers hold.
          const reached = await settled(
            async () => (await app.query(`select last_value::int as v from ${sequence}`))[0]?.v,
          );
          expect(reached).toBeLessThan(rows / 4);
        }
        if (read === 100) break;
      }
      await app.query(`drop sequence ${sequence}`);
      while (
        (
          await app.query(
            "select 1 from pg_stat_activity where state = 'active' and query like '%repeat(''x'', 1000)%' and pid <> pg_backend_pid()",
          )
        ).length > 0
      )
        await setImmediate();
    },
  );

  world.line("stream", "ends a stream with the server's error", async () => {
    const app = world.open({ max: 1 });
    const drained = async () => {
      let read = 0;
      for await (const _ of able(app.stream)("select 1 / (5 - g) as n from generate_series(1, 10) g")) read += 1;
      return read;
    };
    expect((await rejection(drained())).message).toContain("division by zero");
    await app.query("select 1 as one");
  });

  world.line(
    "clean results after an error",
    "answers as ever after a statement that failed amid its rows",
    async () => {
      const app = world.open({ max: 1 });
      await rejection(app.query("select 1 / (5 - g) as n from generate_series(1, 10) g"));
      expect(await app.query("select 1 as one")).toEqual([{ one: 1 }]);
    },
  );

  world.line("cancellable", "cancels a statement at the server, and goes on", async () => {
    const app = world.open({ max: 2 });
    const abort = new AbortController();
    const cancelled = rejection(able(app.cancellable)("select pg_sleep(31)::text", abort.signal));
    await runs(world, "pg_sleep(31)");
    abort.abort();
    await cancelled;
    await runs(world, "pg_sleep(31)", 0);
    expect(await app.query("select 1 as one")).toEqual([{ one: 1 }]);
    expect(world.requests("credential")).toHaveLength(1);
  });

  test("reads a result of 20 MB whole", async () => {
    const [row] = await world.open().query("select repeat('0123456789', 2000000) as v");
    expect(row?.v).toHaveLength(20_000_000);
  });
}

/** A number that grows, once it has stopped to. */
async function settled(read: () => Promise<unknown>): Promise<number> {
  for (let last: unknown, same = 0; ; ) {
    const value = await read();
    same = value === last ? same + 1 : 0;
    last = value;
    if (same === 50) return Number(value);
  }
}
