import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenAdapter } from "../contract-adapter.ts";
import { able, type World } from "../world.ts";

/** Texts that Postgres reads as one value of each type that applications meet. */
const values = [
  ["boolean", "true", "false"],
  ["smallint", "-32768"],
  ["integer", "2147483647", "0"],
  ["bigint", "9223372036854775807", "9007199254740993"],
  ["real", "1.5", "NaN", "Infinity"],
  ["double precision", "0.1", "-0", "1e300"],
  ["numeric", "12345678901234567890.123456789", "NaN", "0.10"],
  ["money", "12.34"],
  ["text", "", "plain", "Grüße, 世界, 🦆", "back\\slash 'quote' \"double\""],
  ["varchar(5)", "abc"],
  ["char(5)", "abc"],
  ["name", "a_name"],
  ["bytea", "\\x00ff10", "\\x"],
  ["uuid", "2f1b9a3e-5c0d-4c1e-8f5a-0123456789ab"],
  ["date", "2024-02-29", "infinity", "0044-03-15 BC"],
  ["time", "23:59:59.999999"],
  ["timetz", "23:59:59+02"],
  ["timestamp", "2024-02-29 12:34:56.789", "infinity"],
  ["timestamptz", "2024-02-29 12:34:56.789+05:30", "-infinity"],
  ["interval", "1 year 2 months 3 days 04:05:06.789", "-1 day"],
  ["json", '{"a": [1, 2, {"b": null}], "c": "d"}', "null", "1.0"],
  ["jsonb", '{"b": 1, "a": [true, false]}', '"text"'],
  ["xml", "<a>b</a>"],
  ["point", "(1.5,-2)"],
  ["circle", "<(1,2),3>"],
  ["box", "(1,1),(0,0)"],
  ["inet", "192.168.0.1/24", "::1"],
  ["cidr", "10.0.0.0/8"],
  ["macaddr", "08:00:2b:01:02:03"],
  ["bit(4)", "1010"],
  ["int4range", "[1,10)"],
  ["tsvector", "a:1 b:2"],
  ["oid", "4294967295"],
  ["integer[]", "{1,NULL,3}", "{}", "{{1,2},{3,4}}"],
  ["bigint[]", "{9223372036854775807}"],
  ["text[]", '{plain,"with, comma","with \\"quote\\"",NULL,""}'],
  ["numeric[]", "{1.10,NaN}"],
  ["boolean[]", "{t,f}"],
  ["timestamptz[]", "{2024-02-29 00:00:00+00}"],
  ["jsonb[]", '{"{\\"a\\": 1}"}'],
  ["bytea[]", '{"\\\\x00ff"}'],
  ["uuid[]", "{2f1b9a3e-5c0d-4c1e-8f5a-0123456789ab}"],
  ["parity_mood", "glad"],
  ["parity_mood[]", "{glad,sad}"],
  ["parity_pair", '(1,"two, three")'],
  ["parity_positive", "7"],
] as const;

/** A statement with what an application binds to it. */
const parameters: readonly (readonly [sql: string, ...values: unknown[]])[] = [
  ["select $1::text as v", "text"],
  ["select $1::text as v", "quote ' and \" and \\ and \u0001"],
  ["select $1::int as v", 42],
  ["select $1::int as v", "42"],
  ["select $1::float8 as v", 0.1],
  ["select $1::float8 as v", Number.POSITIVE_INFINITY],
  ["select $1::bigint as v", 9007199254740993n],
  ["select $1::numeric as v", "12345678901234567890.5"],
  ["select $1::boolean as v", true],
  ["select $1::boolean as v", false],
  ["select $1::text as v", null],
  ["select $1::text is null as v", null],
  ["select $1::timestamptz as v", new Date(Date.UTC(2024, 1, 29, 12, 34, 56, 789))],
  ["select $1::date as v", "2024-02-29"],
  ["select $1::bytea as v", Buffer.from([0, 255, 16])],
  ["select $1::jsonb as v", { a: [1, 2, { b: null }], c: "d" }],
  ["select $1::jsonb as v", JSON.stringify([1, "two"])],
  ["select $1::int[] as v", [1, 2, 3]],
  ["select $1::text[] as v", ["a", "b, c", 'd "e"', null]],
  ["select $1::int[] as v", []],
  ["select $1::uuid as v", "2f1b9a3e-5c0d-4c1e-8f5a-0123456789ab"],
  ["select $1::parity_mood as v", "sad"],
  ["select $1::int + $2::int as v, $3::text as w", 1, 2, "three"],
  ["select count(*)::int as v from generate_series(1, $1::int)", 10],
  ["insert into parity_rows (id, label) values ($1::int, $2::text) returning *", 1, "one"],
  ["update parity_rows set label = $1::text where id = $2::int returning label", "uno", 1],
  ["update parity_rows set label = 'nobody' where id = $1::int", 99],
  ["delete from parity_rows where id = $1::int", 1],
];

/** A statement that fails, by the kind of its failure. */
const failures: readonly (readonly [sql: string, ...values: unknown[]])[] = [
  ["selec 1"],
  ["select * from no_such_table"],
  ["select no_such_column from parity_rows"],
  ["select 1/0"],
  ["insert into parity_rows values (2, null)"],
  ["insert into parity_rows values (3, 'a'), (3, 'b')"],
  ["insert into parity_rows values (4, 'd', 99)"],
  ["insert into parity_rows values (5, 'e', null, -1)"],
  ["select 'abc'::int"],
  ["select $1::int as v", "abc"],
  ["select $1::int[] as v", ["x"]],
  ["select $1::parity_mood as v", "bored"],
  ["select 3000000000::int"],
  ["select '{bad'::jsonb"],
  ["do $do$ begin raise exception 'mine' using errcode = 'P0099', detail = 'd', hint = 'h'; end $do$"],
  ["set statement_timeout = 'never'"],
  ["select pg_sleep('a')::text"],
];

/** What a host answers, in a form in which two of its answers can be compared. */
async function outcome(app: OpenAdapter, sql: string, values: unknown[] = []): Promise<unknown> {
  const ask = app.answer ?? app.query;
  try {
    return { answer: await ask(sql, values) };
  } catch (error) {
    return { error: dissect(error) };
  }
}

/** Class, message and every field of an error and of what it wraps; not where in the program it arose. */
function dissect(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const {
    stack: _,
    cause,
    ...fields
  } = Object.fromEntries(
    Object.getOwnPropertyNames(error).map((name) => [name, (error as unknown as Record<string, unknown>)[name]]),
  );
  const dissected = Object.entries(fields).map(([name, field]) => [name, dissect(field)]);
  return { class: error.constructor.name, ...Object.fromEntries(dissected), cause: dissect(cause) };
}

/** The host's own behaviour: whatever it answers on a plain Postgres without this library, it answers here. */
export function parityLines(world: World): void {
  let ours: OpenAdapter;
  let plain: OpenAdapter;
  beforeAll(async () => {
    // By another pool: a host may look once, when it connects, which types there are.
    const setUp = world.adapter.open(world.options());
    for (const sql of [
      "create type parity_mood as enum ('glad', 'sad')",
      "create type parity_pair as (id int, label text)",
      "create domain parity_positive as int check (value > 0)",
      "create table parity_parents (id int primary key)",
      `create table parity_rows (id int primary key, label text not null,
       parent int references parity_parents, amount int constraint parity_amount check (amount > 0))`,
    ]) {
      await setUp.query(sql);
    }
    await setUp.end();
    ours = world.adapter.open({ ...world.options(), max: 1 });
    plain = world.adapter.openPlain(world.local.postgresUrl);
  });
  afterAll(async () => {
    for (const sql of [
      "drop table parity_rows, parity_parents",
      "drop type parity_mood, parity_pair",
      "drop domain parity_positive",
    ]) {
      await ours.query(sql);
    }
    await Promise.all([ours.end(), plain.end()]);
  });

  /** One side after the other, so that what a case writes the other side can write too. */
  async function expectParity(cases: readonly (readonly [sql: string, ...values: unknown[]])[]) {
    const sides = [];
    for (const app of [ours, plain]) {
      const outcomes: { sql: string; outcome: unknown }[] = [];
      for (const [sql, ...bound] of cases) outcomes.push({ sql, outcome: await outcome(app, sql, bound) });
      sides.push(outcomes);
    }
    const [mine = [], theirs = []] = sides;
    for (const [index, answer] of mine.entries()) expect(answer, answer.sql).toStrictEqual(theirs[index]);
  }

  test("returns values of every type as the host does", async () => {
    await expectParity(
      values.flatMap(([type, ...texts]) =>
        [...texts.map((text) => `'${text.replaceAll("'", "''")}'`), "null"].map(
          (text) => [`select ${text}::${type} as v`] as const,
        ),
      ),
    );
  });

  test("takes parameters of every type as the host does", () => expectParity(parameters));

  test("reports errors with all their fields as the host does", () => expectParity(failures));

  test("returns rows without columns, no rows, many columns and equal names as the host does", () =>
    expectParity([
      ["select"],
      ["select from generate_series(1, 3)"],
      ["select 1 as v where false"],
      ["select 1 as v, 2 as v"],
      ["select 1, 2, 'three'"],
      [`select ${Array.from({ length: 200 }, (_, index) => `${index} as c${index}`).join(", ")}`],
      ["select g as v, repeat('x', g) as w from generate_series(1, 200) g"],
      ["table parity_parents"],
      ["values (1, 'a'), (2, 'b')"],
      ["with a as (select 1 as v) select * from a"],
      ["explain (costs off) select 1"],
      ["show server_version_num"],
      ["create temporary table parity_gone (id int)"],
      ["drop table parity_gone"],
      ["set application_name = 'other'"],
      ["select current_setting('application_name') as v"],
      ["reset application_name"],
      [""],
      ["-- nothing"],
    ]));

  world.line("script", "runs several statements in one text as the host does", async () => {
    const script = "insert into parity_rows values (7, 'a'); insert into parity_rows values (8, 'b')";
    const undone = `${script}; select 1/0`;
    for (const app of [ours, plain]) {
      await able(app.script)(script);
      await expect(able(app.script)(undone.replace("7", "9").replace("8", "10"))).rejects.toThrow();
      expect(await app.query("delete from parity_rows returning id")).toHaveLength(2);
    }
  });

  world.line("notices", "tells notices as the host does", async () => {
    const raise =
      "do $do$ begin raise notice 'mind %', 'you' using detail = 'd', hint = 'h'; raise warning 'more'; end $do$";
    const told = await able(ours.notices)(raise);
    expect(told).toHaveLength(2);
    expect(told.map(dissect)).toStrictEqual((await able(plain.notices)(raise)).map(dissect));
  });
}
