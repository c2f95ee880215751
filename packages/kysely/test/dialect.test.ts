import { createLakebase, type LakebaseError } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { LakebaseDialect, type LakebaseDialectOptions } from "@x/lakebase-kysely";
import {
  type Generated,
  type Insertable,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  type PostgresDialectConfig,
  type Selectable,
  type SqlBool,
} from "kysely";
import pg from "pg";
import Cursor from "pg-cursor";
import { describe, expect, expectTypeOf, test } from "vitest";

interface Authors {
  id: Generated<number>;
  name: string;
}
interface Books {
  id: Generated<number>;
  title: string;
  author_id: number | null;
}
interface Database {
  authors: Authors;
  books: Books;
}

/** The problems of options that must be refused; much of their use is JavaScript, so they need not be of the type. */
function problems(options: unknown): Record<string, string> {
  try {
    new LakebaseDialect(options as LakebaseDialectOptions);
  } catch (error) {
    const { code, problems } = error as LakebaseError;
    expect(code).toBe("ERR_LAKEBASE_CONFIG");
    return Object.fromEntries((problems ?? []).map(({ option, message }) => [option, message]));
  }
  throw new Error("the options were taken");
}

test("is Kysely's own Postgres dialect, and is made without an environment", () => {
  const dialect = new LakebaseDialect({ env: {} });
  expect(dialect).toBeInstanceOf(PostgresDialect);
  expect(dialect.createAdapter()).toBeInstanceOf(PostgresAdapter);
  for (const name of ["createDriver", "createQueryCompiler", "createAdapter", "createIntrospector"] as const) {
    expect(dialect[name]).toBe(PostgresDialect.prototype[name]);
  }
});

test("leaves Kysely's inference as it is", () => {
  const db = new Kysely<Database>({ dialect: new LakebaseDialect({ env: {} }) });
  const plain = new Kysely<Database>({ dialect: new PostgresDialect({ pool: new pg.Pool() }) });
  expectTypeOf(db).toEqualTypeOf(plain);
  const joined = db
    .selectFrom("books")
    .leftJoin("authors", "authors.id", "books.author_id")
    .select(["books.title", "authors.name as author"])
    .select((eb) => eb("books.id", ">", 1).as("later"));
  expectTypeOf(joined.execute).returns.resolves.items.toEqualTypeOf<{
    title: string;
    author: string | null;
    later: SqlBool;
  }>();
  const inserted = db
    .insertInto("books")
    .values({ title: "Notes" } satisfies Insertable<Books>)
    .returning("id");
  expectTypeOf(inserted.executeTakeFirstOrThrow).returns.resolves.toEqualTypeOf<{ id: number }>();
  expectTypeOf(db.selectFrom("books").selectAll().executeTakeFirst).returns.resolves.toEqualTypeOf<
    Selectable<Books> | undefined
  >();
  // @ts-expect-error there is no such table
  db.selectFrom("magazines");
  expect(joined.compile().sql).toContain('left join "authors"');
});

describe("takes", () => {
  test("everything of Kysely's own that its Postgres dialect has, but the pool and the client for cancelling", () => {
    expectTypeOf<keyof PostgresDialectConfig>().toEqualTypeOf<
      "pool" | "controlClient" | "cursor" | "onCreateConnection" | "onReserveConnection"
    >();
    new LakebaseDialect({
      env: {},
      cursor: Cursor,
      onCreateConnection: async (connection) => {
        expectTypeOf(connection.executeQuery).toBeFunction();
      },
      onReserveConnection: async () => {},
    });
  });

  test("a pool or a handle that was made before, and undefined for what is left out", () => {
    const pool = lakebasePool({ env: {} });
    new LakebaseDialect({ pool, cursor: Cursor });
    new LakebaseDialect({ pool, endpoint: undefined as never });
    new LakebaseDialect({ lakebase: pool.lakebase, database: "orders", max: 2 });
    new LakebaseDialect({ env: {}, pool: undefined as never, lakebase: undefined as never });
  });
});

describe("refuses", () => {
  const endpoint = "projects/shop/branches/production/endpoints/primary";

  test("a target, an identity and pool options beside a pool, all in one error", () => {
    const pool = lakebasePool({ env: {} });
    // @ts-expect-error the target is the pool's
    const target: LakebaseDialectOptions = { pool, endpoint };
    // @ts-expect-error so is the identity
    const identity: LakebaseDialectOptions = { pool, user: "x" };
    // @ts-expect-error its name has been settled
    const name: LakebaseDialectOptions = { pool, applicationName: "acme+lakebase" };
    // @ts-expect-error and its size
    const size: LakebaseDialectOptions = { pool, max: 5 };
    // @ts-expect-error and its handle
    const handle: LakebaseDialectOptions = { pool, lakebase: createLakebase({ env: {} }) };
    const all = { ...target, ...identity, ...name, ...size, ...handle, controlClient: pg.Client, nonsense: 1 };
    const beside = ["endpoint", "user", "applicationName", "max", "lakebase", "controlClient", "nonsense"];
    expect(problems(all)).toEqual(Object.fromEntries(beside.map((key) => [key, "cannot stand beside `pool`"])));
  });

  test.each([
    ["plain pools", () => new pg.Pool()],
    ["functions that make one", () => async () => lakebasePool({ env: {} })],
    ["null", () => null],
    ["URLs", () => "postgresql://localhost"],
  ])("%s for `pool`", (_name, pool) => {
    expect(problems({ pool: pool() })).toEqual({ pool: "must be made by lakebasePool()" });
  });

  test("a pool of another kind, when it compiles", () => {
    // @ts-expect-error its connections would carry no token
    expect(problems({ pool: new pg.Pool() } satisfies LakebaseDialectOptions)).toHaveProperty("pool");
  });

  test("a target beside a handle", () => {
    const lakebase = createLakebase({ env: {} });
    // @ts-expect-error the target belongs to the handle
    const both: LakebaseDialectOptions = { lakebase, endpoint };
    expect(problems(both)).toEqual({ endpoint: "is for createLakebase()" });
  });

  test("what is set here, and what nobody knows, all in one error", () => {
    // @ts-expect-error cancelling logs in by the pool's own client
    const control: LakebaseDialectOptions = { env: {}, controlClient: pg.Client };
    // @ts-expect-error it is `applicationName`
    const name: LakebaseDialectOptions = { env: {}, application_name: "x" };
    // @ts-expect-error it is `connectTimeoutMs`
    const timeout: LakebaseDialectOptions = { env: {}, connectionTimeoutMillis: 5 };
    // @ts-expect-error a slip of the pen
    const slip: LakebaseDialectOptions = { env: {}, cursr: Cursor };
    expect(Object.keys(problems({ ...control, ...name, ...timeout, ...slip, max: 0 })).sort()).toEqual(
      ["application_name", "connectionTimeoutMillis", "controlClient", "cursr", "max"].sort(),
    );
  });

  test.each([
    ["a URL", "postgresql://me@localhost/orders"],
    ["a number", 42],
    ["null", null],
  ])("%s in place of options", (_name, options) => {
    expect(problems(options)).toEqual({ options: "must be an object" });
  });
});
