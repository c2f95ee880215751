import { execFile } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { findLakebaseError } from "@x/lakebase-core";
import { expect, test } from "vitest";
import { rejection, times, type World } from "../world.ts";

const run = promisify(execFile);
const program = new URL("../program.ts", import.meta.url).pathname;

export function processLines(world: World): void {
  /** A program of its own that does one thing with the adapter and has nothing else to live for. */
  const child = (scenario: string, env: Record<string, string> = world.local.env) =>
    run(process.execPath, [program, world.adapter.name, scenario], {
      env: { PATH: process.env.PATH, ...env },
      timeout: 20_000,
    });

  test("lets the process end by itself after the pool was ended", async () => {
    expect((await child("query")).stdout).toBe("1\n");
  });

  test("lets the process end by itself after a login was refused", async () => {
    const { clientId, clientSecret } = await world.local.addServicePrincipal({ role: false });
    const env = {
      ...world.local.env,
      DATABRICKS_CLIENT_ID: clientId,
      DATABRICKS_CLIENT_SECRET: clientSecret,
      PGUSER: clientId,
    };
    expect((await child("failure", env)).stdout).toContain("password authentication failed");
  });

  test("lets the process end by itself after a token request failed", async () => {
    const env = { ...world.local.env, DATABRICKS_CLIENT_SECRET: "wrong" };
    expect((await child("failure", env)).stdout).toContain("ERR_LAKEBASE_UNAUTHENTICATED");
  });

  test("does not hold the process for a refresh behind its back", async () => {
    expect((await child("background-refresh")).stdout).toBe("done\n");
  });

  test("leaves no session behind after the end, and can be ended twice", async () => {
    const app = world.open({ max: 5 });
    await Promise.all(times(5, () => app.query("select pg_sleep(0.02)::text")));
    await Promise.all([app.end(), app.end()]);
    await app.end();
    while (world.local.sessions() > 0) await setImmediate();
  });

  world.line("lasting end", "answers no query after its end", async () => {
    const app = world.open();
    await app.query("select 1");
    await app.end();
    await rejection(app.query("select 1"));
    while (world.local.sessions() > 0) await setImmediate();
  });

  test("leaves no session behind after 30 refused logins", async () => {
    world.local.faults.login({ kind: "refuse", sqlState: "3D000", message: "no such database" });
    const app = world.open({ max: 30 });
    await Promise.all(times(30, () => rejection(app.query("select 1"))));
    expect(world.local.sessions()).toBe(0);
  });

  world.line("prompt end", "ends while a login waits for a token, and aborts the request", async () => {
    const fault = world.local.faults.api({ on: "credential", kind: "hang" });
    const app = world.open({ connectTimeoutMs: 20_000 });
    const failed = rejection(app.query("select 1"));
    while (fault.hits === 0) await setImmediate();
    await app.end();
    await failed;
    expect(world.arrivals().connections).toBe(0);
  });

  test("leaves a handle that it was given as it is", async () => {
    const lakebase = world.handle();
    await world.open({ lakebase }).query("select 1");
    const second = world.open({ lakebase });
    await second.query("select 1");
    await second.end();
    expect(lakebase.health().status).toBe("ready");
    await lakebase.close();
    await lakebase.close();
    const error = await rejection(world.open({ lakebase }).query("select 1"));
    expect(findLakebaseError(error)?.code).toBe("ERR_LAKEBASE_CLOSED");
  });
}
