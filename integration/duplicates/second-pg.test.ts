import { findLakebaseError } from "@x/lakebase-core";
import { LakebasePool, lakebasePool, lakebasePoolConfig } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { sql } from "drizzle-orm";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Copies, copyPackages } from "./copies.ts";

let local: LocalLakebase;
let copies: Copies;
let theirs: {
  pg: typeof pg;
  drizzle: typeof import("drizzle-orm/node-postgres");
  prisma: typeof import("@prisma/adapter-pg");
};
const options = () => ({ env: local.env, clock: local.clock, max: 8 });

beforeAll(async () => {
  copies = copyPackages("pg", "pg-pool", "pg-protocol", "drizzle-orm", "@prisma/adapter-pg");
  theirs = {
    pg: copies.require("pg"),
    drizzle: copies.require("drizzle-orm/node-postgres"),
    prisma: copies.require("@prisma/adapter-pg"),
  };
  local = await startLocalLakebase({ log: () => {} });
  const pool = lakebasePool(options());
  await pool.query("create table rows (id int)");
  await pool.end();
});
afterAll(async () => {
  copies?.remove();
  await local?.close();
});

/** Transactions side by side that are all rolled back: what is left of them, and on how many connections each one ran. */
async function rollBack(transact: (run: (query: (text: string) => Promise<number>) => Promise<void>) => Promise<void>) {
  const widths: number[] = [];
  const transactions = Array.from({ length: 40 }, () =>
    transact(async (query) => {
      const pids = new Set<number>();
      for (let statement = 0; statement < 3; statement += 1) {
        pids.add(await query("insert into rows values (1) returning pg_backend_pid() as pid"));
      }
      widths.push(pids.size);
      throw new Error("changed my mind");
    }),
  );
  const outcomes = await Promise.allSettled(transactions);
  const observer = new pg.Client(local.postgresUrl);
  await observer.connect();
  const { rowCount } = await observer.query("select from rows");
  await observer.query("truncate rows");
  await observer.end();
  return {
    rejected: outcomes.filter(({ status }) => status === "rejected").length,
    widest: Math.max(...widths),
    left: rowCount,
  };
}

const drizzleOn = (pool: LakebasePool) => {
  const db = theirs.drizzle.drizzle({ client: pool });
  return rollBack((run) =>
    db.transaction((tx) => run(async (text) => Number((await tx.execute(sql.raw(text))).rows[0]?.pid))),
  );
};

test("is a second copy indeed", () => {
  expect(theirs.pg.Pool).not.toBe(pg.Pool);
  expect(theirs.pg.Client).not.toBe(pg.Client);
  expect(lakebasePool(options())).not.toBeInstanceOf(theirs.pg.Pool);
});

test("Drizzle with another pg keeps each transaction on one connection, and nothing of what is rolled back", async () => {
  const pool = lakebasePool(options());
  expect(await drizzleOn(pool)).toEqual({ rejected: 40, widest: 1, left: 0 });
  await pool.end();
});

test("Drizzle with another pg would not, did the pool not keep its name", async () => {
  const Renamed = class extends LakebasePool {};
  Object.defineProperty(Renamed, "name", { value: "t" });
  const pool = new Renamed(options());
  const { widest } = await drizzleOn(pool);
  expect(widest).toBeGreaterThan(1);
  local.killConnections("terminate");
  await pool.end();
});

test("Prisma with another pg makes a pool of its own from the plain options, and keeps transactions apart", async () => {
  const prisma = await new theirs.prisma.PrismaPg(lakebasePoolConfig(options(), "prisma")).connect();
  expect(prisma.underlyingDriver()).toBeInstanceOf(theirs.pg.Pool);
  expect(prisma.underlyingDriver().options.max).toBe(8);
  const before = local.logins.length;
  const outcome = await rollBack(async (run) => {
    const tx = await prisma.startTransaction();
    const tell = (text: string) => tx.queryRaw({ sql: text, args: [], argTypes: [] });
    try {
      await run(async (text) => Number((await tell(text)).rows[0]?.[0]));
    } finally {
      await tell("rollback").finally(() => tx.rollback());
    }
  });
  expect(outcome).toEqual({ rejected: 40, widest: 1, left: 0 });
  const logins = local.logins.slice(before);
  expect(logins).toHaveLength(8);
  expect(new Set(logins.map(({ applicationName }) => applicationName))).toEqual(
    new Set([expect.stringMatching(/^x-lakebase-prisma\//)]),
  );
  await prisma.dispose();
});

test("Prisma with another pg takes a pool for options, which is refused in words", async () => {
  const pool = lakebasePool(options());
  const prisma = await new theirs.prisma.PrismaPg(pool).connect();
  expect(prisma.underlyingDriver()).not.toBe(pool);
  const error = await prisma.executeRaw({ sql: "select 1", args: [], argTypes: [] }).catch((reason) => reason);
  expect(findLakebaseError(error)?.code).toBe("ERR_LAKEBASE_CONFIG");
  expect(error.message).toContain("lakebasePoolConfig");
  await Promise.all([prisma.dispose(), pool.end()]);
});
