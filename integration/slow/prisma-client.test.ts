import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findLakebaseError, isLoginRejected } from "@x/lakebase-core";
import type { LakebasePoolOptions } from "@x/lakebase-core/pg";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, expect, test } from "vitest";
import { catalogVersion, npmInstall, pack } from "../packaging/tarballs.ts";

/** Its command line brings 300 MB, which nothing else needs: so it is installed here and not with the rest. */
const prismaVersion = "7.10.0";
const run = promisify(execFile);

/** As much of a generated client as is used here: it does not exist when this is compiled. */
interface Author {
  readonly id: number;
  readonly name: string;
  readonly books?: readonly { readonly title: string }[];
}
interface Client {
  readonly author: {
    create(query: object): Promise<Author>;
    findMany(query?: object): Promise<Author[]>;
    count(): Promise<number>;
  };
  $transaction<T>(run: (tx: Client) => Promise<T>): Promise<T>;
  $executeRawUnsafe(sql: string): Promise<number>;
  $queryRawUnsafe(sql: string, ...values: unknown[]): Promise<Record<string, unknown>[]>;
  $disconnect(): Promise<void>;
}

let folder: string;
let local: LocalLakebase;
let open: (options?: LakebasePoolOptions, prismaOptions?: object) => Client;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lakebase-prisma-"));
  const core = (await pack(folder)).find(({ name }) => name === "@x/lakebase-core");
  const dependencies = {
    "@x/lakebase-core": `file:${core?.tarball}`,
    "@prisma/adapter-pg": catalogVersion("@prisma/adapter-pg"),
    "@prisma/client": prismaVersion,
    prisma: prismaVersion,
    pg: catalogVersion("pg"),
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
  cpSync(fileURLToPath(new URL("prisma/schema.prisma", import.meta.url)), join(folder, "schema.prisma"));
  await npmInstall(folder);
  const project = createRequire(join(folder, "application.cjs"));
  // Generating needs no engine, and fetches one all the same unless it is told that there is one.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" };
  await run(process.execPath, ["node_modules/prisma/build/index.js", "generate", "--schema", "schema.prisma"], {
    cwd: folder,
    env,
  });

  local = await startLocalLakebase({ log: () => {} });
  const { PrismaClient } = project("@prisma/client");
  const { PrismaPg } = project("@prisma/adapter-pg");
  const { lakebasePoolConfig } = project("@x/lakebase-core/pg");
  open = (options, prismaOptions) =>
    new PrismaClient({
      ...prismaOptions,
      adapter: new PrismaPg(lakebasePoolConfig({ env: local.env, clock: local.clock, ...options }, "prisma")),
    });
  const prisma = open();
  await prisma.$executeRawUnsafe("create table authors (id serial primary key, name text not null)");
  await prisma.$executeRawUnsafe(
    "create table books (id serial primary key, title text not null, author_id int not null references authors)",
  );
  await prisma.$disconnect();
});
afterAll(async () => {
  await local?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a PrismaClient writes, reads relations and rolls back", async () => {
  const prisma = open();
  await prisma.author.create({ data: { name: "Ada", books: { create: [{ title: "Notes" }] } } });
  const undone = prisma.$transaction(async (tx) => {
    await tx.author.create({ data: { name: "nobody" } });
    throw new Error("changed my mind");
  });
  await expect(undone).rejects.toThrow("changed my mind");
  const found = await prisma.author.findMany({ include: { books: true } });
  expect(found.map(({ name, books }) => [name, books?.map(({ title }) => title)])).toEqual([["Ada", ["Notes"]]]);
  const [row] = await prisma.$queryRawUnsafe(
    "select application_name, $1::int as n from pg_stat_activity where pid = pg_backend_pid()",
    7,
  );
  expect(row).toEqual({ application_name: expect.stringMatching(/^x-lakebase-prisma\//), n: 7 });
  await prisma.$disconnect();
  await prisma.$disconnect();
  while (local.sessions() > 0) await setImmediate();
});

test("a PrismaClient mints once for many first queries, and goes on after its token has ended", async () => {
  const minted = () => local.requests.filter(({ operation }) => operation === "credential").length;
  const before = minted();
  const prisma = open({ max: 10 });
  await Promise.all(Array.from({ length: 50 }, () => prisma.author.count()));
  expect(minted() - before).toBe(1);
  local.clock.advance(61 * 60_000);
  await prisma.author.count();
  expect(minted() - before).toBe(1);
  await prisma.$disconnect();
  expect(await prisma.author.count()).toBe(1);
  expect(minted() - before).toBe(2);
  await prisma.$disconnect();
});

test("errors of a PrismaClient let the reason be found", async () => {
  local.faults.api({ on: "credential", kind: "status", status: 403, times: 1 });
  const forbidden = await open()
    .author.count()
    .catch((reason) => reason);
  expect(findLakebaseError(forbidden)?.code).toBe("ERR_LAKEBASE_PERMISSION_DENIED");

  for (const target of ["endpoint", "instance"] as const) {
    const { clientId, clientSecret } = await local.addServicePrincipal({ role: false });
    const stranger = { DATABRICKS_CLIENT_ID: clientId, DATABRICKS_CLIENT_SECRET: clientSecret, PGUSER: clientId };
    const prisma = open({ env: { ...local.envFor(target), ...stranger } });
    const refused = await prisma.author.count().catch((reason) => reason);
    expect(isLoginRejected(refused), target).toBe(true);
    expect(isLoginRejected(forbidden)).toBe(false);
    await prisma.$disconnect();
  }
});

test("transactions of a PrismaClient side by side stay apart", async () => {
  const prisma = open({ max: 5 });
  const before = await prisma.author.count();
  const transactions = Array.from({ length: 30 }, (_, index) =>
    prisma.$transaction(async (tx) => {
      await tx.author.create({ data: { name: `side ${index}` } });
      if (index % 3 === 0) throw new Error("changed my mind");
    }),
  );
  const outcomes = await Promise.allSettled(transactions);
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(10);
  expect((await prisma.author.count()) - before).toBe(20);
  await prisma.$disconnect();
});

test("a transaction waits for a compute that wakes when Prisma is told how long", async () => {
  await using sleepy = await startLocalLakebase({ log: () => {}, wakeDelayMs: 3000 });
  // Prisma itself gives a transaction two seconds to get a connection.
  const impatient = open({ env: sleepy.env });
  const patient = open({ env: sleepy.env }, { transactionOptions: { maxWait: 35_000 } });
  const ask = (prisma: Client) => prisma.$transaction((tx) => tx.$queryRawUnsafe("select 1 as one"));
  sleepy.suspend({ waking: "refuse" });
  await expect(ask(impatient)).rejects.toMatchObject({ code: "P2028" });
  await impatient.$disconnect();
  sleepy.suspend({ waking: "refuse" });
  expect(await ask(patient)).toEqual([{ one: 1 }]);
  await patient.$disconnect();
});
