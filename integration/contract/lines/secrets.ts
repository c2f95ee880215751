import { inspect } from "node:util";
import { expect, test } from "vitest";
import { errorLinks } from "../error-links.ts";
import { outcomes, rejection, times, type World } from "../world.ts";

export function secretLines(world: World): void {
  /** Everything that anybody could print of a value. */
  const printed = (value: unknown): string => {
    const texts = [inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }), String(value)];
    try {
      texts.push(JSON.stringify(value));
    } catch {
      // A circular value cannot leak by JSON.
    }
    if (value instanceof Error) texts.push(value.stack ?? "", ...errorLinks(value).slice(1).map(printed));
    return texts.join("\n");
  };
  const leaks = (value: unknown) => {
    const text = printed(value);
    return world.local.secrets().filter((secret) => text.includes(secret));
  };

  test("finds its own canary, so that a miss would be seen", () => {
    const [secret = ""] = world.local.secrets();
    expect(secret.length).toBeGreaterThan(10);
    expect(leaks({ deep: { er: `Bearer ${secret}` } })).toEqual([secret]);
  });

  test("shows none in the pool, the handle, its health, its events and its settings", async () => {
    const lakebase = world.handle();
    const app = world.open({ lakebase, max: 3 });
    await Promise.all(times(3, () => app.query("select pg_sleep(0.02)::text")));
    for (const value of [
      app.visible,
      lakebase,
      lakebase.health(),
      world.events,
      await lakebase.connection(),
      await lakebase.credential(),
    ]) {
      expect(leaks(value)).toEqual([]);
    }
  });

  test("shows none in errors of logins that were refused, revoked, cut and timed out", async () => {
    const app = world.open({ max: 1, connectTimeoutMs: 500 });
    await app.query("select 1");
    await world.endSessions();
    const errors: unknown[] = [];
    const faults = [
      () => world.local.faults.login({ kind: "refuse", sqlState: "28P01", message: "no" }),
      () => world.local.faults.login({ kind: "reset", phase: "password" }),
      () => world.local.faults.login({ kind: "hang", phase: "password" }),
      () => world.local.faults.tls({ on: "login", kind: "untrusted" }),
    ];
    for (const play of faults) {
      const fault = play();
      errors.push(await rejection(app.query("select 1")));
      fault.clear();
      world.local.clock.advance(20_000);
    }
    expect(errors).toHaveLength(faults.length);
    expect(leaks(errors)).toEqual([]);
    expect(leaks(world.events)).toEqual([]);
    expect(leaks(app.visible)).toEqual([]);
  });

  test("shows none in errors of a workspace that echoes what it was sent", async () => {
    const { clientSecret } = world.local.servicePrincipal;
    for (const [status, body] of [
      [400, { error_code: clientSecret, message: `you sent ${clientSecret}` }],
      [401, { error: "invalid_client", error_description: clientSecret }],
      [503, `<html>${clientSecret}</html>`],
      [200, { access_token: `${clientSecret}\n`, token: 42 }],
    ] as const) {
      const fault = world.local.faults.api({ on: "token", kind: "status", status, body });
      const { failures } = await outcomes([world.open({ connectTimeoutMs: 300 }).query("select 1")]);
      expect(failures).toHaveLength(1);
      expect(leaks(failures)).toEqual([]);
      fault.clear();
    }
    expect(leaks(world.events)).toEqual([]);
  });
}
