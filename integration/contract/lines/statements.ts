import { setImmediate } from "node:timers/promises";
import { expect } from "vitest";
import { able, times, type World } from "../world.ts";

export function statementLines(world: World): void {
  const name = world.sqlName;

  world.line("prepared", "keeps a prepared statement at the server", async () => {
    const app = world.open({ max: 1 });
    const run = (value: number) => able(app.prepared)("contract_one", "select $1::int * 2 as doubled", [value]);
    expect(await run(2)).toEqual([{ doubled: 4 }]);
    expect(await run(21)).toEqual([{ doubled: 42 }]);
    const kept = await app.query(
      "select statement from pg_prepared_statements where statement like '%* 2 as doubled%'",
    );
    expect(kept).toHaveLength(1);
  });

  world.line("copyIn", "copies 10 000 rows in and out again", async () => {
    const app = world.open({ max: 2 });
    const table = `copied_${name}`;
    await app.query(`create table ${table} (id int, label text)`);
    const text = times(10_000, (index) => `${index}\tGrüße ${index}\n`).join("");
    await able(app.copyIn)(`copy ${table} from stdin`, text);
    expect(await app.query(`select count(*)::int as n from ${table}`)).toEqual([{ n: 10_000 }]);
    expect(await able(app.copyOut)(`copy (select * from ${table} order by id) to stdout`)).toBe(text);
    await app.query(`drop table ${table}`);
  });

  world.line("listen", "hears notifications until it is told to stop", async () => {
    const app = world.open({ max: 2 });
    const channel = `heard_${name}`;
    const heard: string[] = [];
    const stop = await able(app.listen)(channel, (payload) => heard.push(payload));
    for (const payload of ["one", "two"]) await app.query(`select pg_notify('${channel}', '${payload}')`);
    while (heard.length < 2) await setImmediate();
    await stop();
    await app.query(`select pg_notify('${channel}', 'three')`);
    await app.query("select 1");
    expect(heard).toEqual(["one", "two"]);
  });

  world.line("migrator", "migrates up once", async () => {
    const app = world.open({ max: 2 });
    const table = `migrated_${name}`;
    const migrator = able(app.migrator)(table);
    await migrator.up();
    await migrator.up();
    expect(await app.query(`select id from ${table}`)).toEqual([{ id: 1 }]);
  });

  world.line("migrations down", "migrates down and up again", async () => {
    const app = world.open({ max: 2 });
    const table = `migrated_twice_${name}`;
    const { up, down } = able(app.migrator)(table);
    const tables = () => app.query(`select to_regclass('${table}')::text as found`);
    await up();
    expect(await tables()).toEqual([{ found: table }]);
    await able(down)();
    expect(await tables()).toEqual([{ found: null }]);
    await up();
    expect(await tables()).toEqual([{ found: table }]);
  });
}
