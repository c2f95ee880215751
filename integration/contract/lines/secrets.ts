import { inspect } from "node:util";
import { expect, test } from "vitest";
import { errorLinks } from "../error-links.ts";
import { rejection, times, type World } from "../world.ts";

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
    const lakebase = world.handle();
    const patient = world.open({ lakebase, max: 1 });
    await patient.query("select 1");
    await world.endSessions();
    const app = world.open({ lakebase, max: 1, connectTimeoutMs: 500 });
    const errors: unknown[] = [];
    const faults = [
      () => world.local.faults.login({ kind: "refuse", sqlState: "28P01", message: "no" }),
      () => world.local.faults.login({ kind: "reset", phase: "password" }),
      () => world.local.faults.login({ kind: "hang", phase: "password" }),
      () => world.local.faults.tls({ on: "login", kind: "untrusted" }),
    ];
    for (const play of faults) {
      const fault = play();
      // On a busy machine the time may be over before the login gets so far.
      do errors.push(await rejection(app.query("select 1")));
      while (fault.hits === 0);
      fault.clear();
      world.local.clock.advance(20_000);
    }
    for (const value of [errors, world.events, app.visible, patient.visible]) expect(leaks(value)).toEqual([]);
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
      const app = world.open({ connectTimeoutMs: 300 });
      do expect(leaks(await rejection(app.query("select 1")))).toEqual([]);
      while (fault.hits === 0);
      fault.clear();
    }
    expect(leaks(world.events)).toEqual([]);
  });
}
