import { once } from "node:events";
import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { findLakebaseError } from "@x/lakebase-core";
import { expect, test } from "vitest";
import { outcomes, rejection, runs, serverError, times, type World } from "../world.ts";

export function faultLines(world: World): void {
  test.each(["terminate", "reset"] as const)("drops an idle connection that the server ends by %s", async (how) => {
    const app = world.open({ max: 2 });
    await Promise.all(times(2, () => app.query("select pg_sleep(0.02)::text")));
    const ended = world.local.killConnections(how);
    expect(ended).toBeGreaterThan(0);
    await lost(world, ended);
    expect(await app.query("select 1 as one")).toEqual([{ one: 1 }]);
    expect(world.requests("credential")).toHaveLength(1);
  });

  test.each(["terminate", "reset"] as const)(
    "fails only the query that runs when the server ends it by %s",
    async (how) => {
      const app = world.open({ max: 1 });
      await app.query("select 1");
      const running = rejection(app.query("select pg_sleep(30)::text"));
      await runs(world, "pg_sleep(30)");
      world.local.killConnections(how);
      await running;
      expect(await app.query("select 1 as one")).toEqual([{ one: 1 }]);
    },
  );

  test.each(["terminate", "reset"] as const)("rolls back a transaction whose connection ends by %s", async (how) => {
    const app = world.open({ max: 1 });
    const table = `kill_${how}_${world.sqlName}`;
    await app.query(`create table ${table} (id int)`);
    await rejection(
      app.transaction(async (tx) => {
        await tx.query(`insert into ${table} values (1)`);
        world.local.killConnections(how);
        await lost(world, 1);
        await tx.query(`insert into ${table} values (2)`);
      }),
    );
    expect(await app.query(`select * from ${table}`)).toEqual([]);
    await app.query(`drop table ${table}`);
  });

  test.each(["hold", "starting-up", "refuse"] as const)(
    "waits for a suspended compute that wakes by %s",
    async (waking) => {
      const app = world.open({ max: 3 });
      await Promise.all(times(3, () => app.query("select pg_sleep(0.02)::text")));
      const ended = world.local.suspend({ waking });
      expect(ended).toBeGreaterThan(0);
      await lost(world, ended);
      const { failures } = await outcomes(times(3, () => app.query("select 1")));
      expect(failures).toEqual([]);
      expect(world.requests("credential")).toHaveLength(1);
      if (waking !== "hold") expect(world.events.some(({ type }) => type === "waking")).toBe(true);
    },
  );

  test("waits with the same token while a young branch does not know the identity yet", async () => {
    world.local.faults.login({ kind: "refuse", sqlState: "XX000", message: "External authorization failed", times: 2 });
    await world.open({ max: 1 }).query("select 1");
    expect(world.logins()).toHaveLength(3);
    expect(world.requests("credential")).toHaveLength(1);
  });

  test.each([
    ["3D000", 'database "missing" does not exist'],
    ["53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute"],
  ])("passes %s on untouched after one login", async (sqlState, message) => {
    world.local.faults.login({ kind: "refuse", sqlState, message });
    const error = await rejection(world.open({ max: 1 }).query("select 1"));
    expect(serverError(error)).toMatchObject({ code: sqlState, message });
    expect(findLakebaseError(error)).toBeUndefined();
    expect(world.logins()).toHaveLength(1);
    expect(world.requests("credential")).toHaveLength(1);
  });

  test.each(["accept", "ssl-request", "startup", "password"] as const)(
    "ends a login that stalls at %s within its time limit, and leaves no socket",
    async (phase) => {
      const app = world.open({ max: 1, connectTimeoutMs: 1000 });
      world.local.faults.login({ kind: "hang", phase, times: 1 });
      const error = await rejection(app.query("select 1"));
      expect(findLakebaseError(error)?.code).toBe("ERR_LAKEBASE_TIMEOUT");
      await app.query("select 1");
      await open(world, 1);
    },
  );

  test("gives up dialling at its time limit when nothing listens, and says what it met", async () => {
    const port = await unusedPort();
    const { host, hostAddress, endpoint } = world.local;
    const app = world.open({ endpoint, host, hostAddress, port, connectTimeoutMs: 1500 });
    const error = findLakebaseError(await rejection(app.query("select 1")));
    expect(error?.code).toBe("ERR_LAKEBASE_TIMEOUT");
    expect(error?.message).toContain("ECONNREFUSED");
  });

  test("retries a workspace that fails, inside the login", async () => {
    world.local.faults.api({ on: "token", kind: "status", status: 503, times: 1 });
    world.local.faults.api({ on: "credential", kind: "reset", times: 1 });
    await world.open().query("select 1");
    expect(world.logins()).toHaveLength(1);
  });

  test.each([
    [401, "token", "ERR_LAKEBASE_UNAUTHENTICATED"],
    [403, "credential", "ERR_LAKEBASE_PERMISSION_DENIED"],
    [404, "credential", "ERR_LAKEBASE_NOT_FOUND"],
  ] as const)("asks once for 50 logins when the answer is %s", async (status, on, code) => {
    const fault = world.local.faults.api({ on, kind: "status", status });
    const app = world.open({ max: 50 });
    const { failures } = await outcomes(times(50, () => app.query("select 1")));
    expect(new Set(failures.map((error) => findLakebaseError(error)?.code))).toEqual(new Set([code]));
    expect(fault.hits).toBe(1);
    expect(world.arrivals().connections).toBe(0);
  });

  test("takes a login page for what it is", async () => {
    world.local.faults.api({
      on: "credential",
      kind: "status",
      status: 200,
      body: "<html>Sign in</html>",
      contentType: "text/html",
    });
    const error = findLakebaseError(await rejection(world.open({ connectTimeoutMs: 1500 }).query("select 1")));
    expect(error?.code).toBe("ERR_LAKEBASE_BAD_RESPONSE");
    expect(error?.message).not.toContain("Sign in");
  });
}

/** The client side has noticed that connections are gone. */
async function lost(world: World, count: number): Promise<void> {
  while (world.events.filter(({ type }) => type === "connectionLost").length < count) await setImmediate();
}

/** So many sessions are open at the front, and no more. */
async function open(world: World, count: number): Promise<void> {
  while (world.local.sessions() !== count) await setImmediate();
}

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
