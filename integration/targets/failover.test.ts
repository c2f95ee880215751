import { setImmediate } from "node:timers/promises";
import { lakebasePostgres } from "@x/lakebase-core/postgres-js";
import { describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";
import { address, surroundings, trying } from "./scene.ts";

const world = createWorld(pgAdapter);
const { pool, asked } = trying(world);
const moved = () => {
  const project = world.local.addProject();
  const endpoint = project.branches[0]?.endpoints[0];
  if (!endpoint) throw new Error("no endpoint");
  return { ...endpoint, branch: project.branches[0]?.name, project: project.name };
};

describe("after an endpoint has moved to other hosts", () => {
  test.each(["endpoint", "branch", "project"] as const)(
    "a pool that knows its %s logs in at the new one, without an error",
    async (kind) => {
      const old = moved();
      await using own = pool({ options: { [kind]: kind === "endpoint" ? old.name : old[kind] } }, { max: 1 });
      await own.query("select 1");
      const { host } = world.local.moveEndpoint(old.name);
      world.local.killConnections();
      while (own.totalCount > 0) await setImmediate();
      expect((await own.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
      expect(world.logins().map((login) => [login.host, login.outcome])).toEqual([
        [old.host, "accepted"],
        [old.host, "refused"],
        [host, "accepted"],
      ]);
      expect(asked().filter((operation) => operation === "credential")).toHaveLength(1);
    },
  );

  test("fifty logins at once ask once where it went", async () => {
    const old = moved();
    await using own = pool({ options: { endpoint: old.name } }, { max: 50 });
    await own.query("select 1");
    const { host } = world.local.moveEndpoint(old.name);
    world.local.killConnections();
    while (own.totalCount > 0) await setImmediate();
    await Promise.all(Array.from({ length: 50 }, () => own.query("select pg_sleep(0.02)")));
    expect(world.logins().filter((login) => login.host === host)).toHaveLength(50);
    expect(asked().filter((operation) => operation === "endpoint")).toHaveLength(2);
  });

  test("postgres.js logs in at the new one too", async () => {
    const old = moved();
    const { local } = world;
    const sql = lakebasePostgres({
      env: surroundings(local),
      clock: local.clock,
      endpoint: old.name,
      ...address(local).options,
      max: 1,
    });
    await sql`select 1`;
    const { host } = local.moveEndpoint(old.name);
    local.killConnections();
    while (local.sessions() > 0) await setImmediate();
    for (let left = 20; left > 0; left -= 1) {
      if (
        await sql`select 2`.then(
          () => true,
          () => false,
        )
      )
        break;
    }
    expect(world.logins().at(-1)).toMatchObject({ host, outcome: "accepted" });
    await sql.end();
  });

  test("a host that was given is not replaced: the login says that it is gone", async () => {
    const old = moved();
    await using own = pool({ options: { endpoint: old.name, host: old.host } }, { max: 1 });
    await own.query("select 1");
    world.local.moveEndpoint(old.name);
    world.local.killConnections();
    while (own.totalCount > 0) await setImmediate();
    expect((await rejection(own.query("select 2"))).message).toMatch(/endpoint cannot be found/);
    expect(asked()).toEqual(["credential"]);
  });

  test("the old host is tried again while the workspace is down", async () => {
    const old = moved();
    await using own = pool({ options: { endpoint: old.name } }, { max: 1 });
    await own.query("select 1");
    world.local.killConnections();
    while (own.totalCount > 0) await setImmediate();
    world.local.faults.login({
      times: 1,
      kind: "refuse",
      sqlState: "XX000",
      message: "Couldn't connect to compute node",
    });
    const down = world.local.faults.api({ on: "endpoint", kind: "status", status: 503 });
    expect((await own.query("select 2 as two")).rows).toEqual([{ two: 2 }]);
    expect(down.hits).toBeGreaterThan(0);
    expect(world.logins().map(({ host }) => host)).toEqual([old.host, old.host, old.host]);
  });
});
