import { readdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { Lakebase } from "@x/lakebase-core";
import pg from "pg";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import type { ContractAdapter, OpenAdapter } from "../contract/contract-adapter.ts";
import { createWorld, rejection } from "../contract/world.ts";

const folder = new URL("../contract/adapters/", import.meta.url);
const files = readdirSync(folder).filter((file) => !file.endsWith(".test.ts"));
/** Every host that there is a contract for. */
const adapters = await Promise.all(
  files.map(async (file) => {
    const [adapter] = Object.values<ContractAdapter>(await import(new URL(file, folder).href));
    if (!adapter) throw new Error(`${file} exports no adapter`);
    return adapter;
  }),
);

describe("all hosts in one application, on one handle", () => {
  const world = createWorld(pgAdapter);
  const databases = ["orders", "stock"];
  const databaseOf = (index: number) => databases[index % databases.length] ?? "";
  let lakebase: Lakebase;
  let apps: { name: string; database: string; app: OpenAdapter }[];

  beforeAll(async () => {
    const superuser = new pg.Client(world.local.postgresUrl);
    await superuser.connect();
    for (const database of databases) await superuser.query(`create database ${database}`);
    await superuser.end();
  });
  beforeEach(() => {
    lakebase = world.handle();
    apps = adapters.map((adapter, index) => {
      const [name, database] = [`app-${adapter.name}`, databaseOf(index)];
      const app = adapter.open({ lakebase, applicationName: name, database, max: 2 });
      return { name, database, app };
    });
    return () => Promise.all(apps.map(({ app }) => app.end()));
  });

  const ask = async ({ app }: { app: OpenAdapter }) => {
    const rows = await app.query(
      "select current_database()::text as database, current_setting('application_name') as name",
    );
    return rows[0];
  };
  const expected = () => apps.map(({ name, database }) => ({ name, database }));

  test("mint once, each under its own name and in its own database", async () => {
    expect(adapters.length).toBeGreaterThan(5);
    expect(await Promise.all(apps.map(ask))).toEqual(expected());
    expect(world.requests("token")).toHaveLength(1);
    expect(world.requests("credential")).toHaveLength(1);
    const startups = world.logins().map(({ startup }) => `${startup.application_name} ${startup.database}`);
    expect(new Set(startups)).toEqual(new Set(apps.map(({ name, database }) => `${name} ${database}`)));
  });

  test("mint once more for all when the token of all is revoked", async () => {
    await Promise.all(apps.map(ask));
    await world.endSessions();
    world.local.revokeAll();
    expect(await Promise.all(apps.map(ask))).toEqual(expected());
    expect(world.requests("credential")).toHaveLength(2);
    expect(lakebase.health().status).toBe("ready");
  });

  test("end one by one, and none of them the others or the handle", async () => {
    const left = [...apps];
    for (let one = left.shift(); one; one = left.shift()) {
      await one.app.end();
      expect(await Promise.all(left.map(ask))).toEqual(left.map(({ name, database }) => ({ name, database })));
    }
    while (world.local.sessions() > 0) await setImmediate();
    expect(lakebase.health().status).toBe("ready");
    await lakebase.connection();
    expect(world.requests("credential")).toHaveLength(1);
  });

  test("end at once, even while their logins wait for a token, when their handle is closed first", async () => {
    const fault = world.local.faults.api({ on: "credential", kind: "hang" });
    const failed = apps.map((one) => rejection(ask(one)));
    while (fault.hits === 0) await setImmediate();
    await lakebase.close();
    await Promise.all(failed);
    await Promise.all(apps.map(({ app }) => app.end()));
    expect(world.arrivals().connections).toBe(0);
  });
});
