import {
  accessToken,
  clientCredentials,
  type LakebaseOptions,
  personalAccessToken,
  type WorkspaceAuth,
} from "@x/lakebase-core";
import { describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";
import { failureOf, userOf } from "./login-checks.ts";

const world = createWorld(pgAdapter);
const hour = 3_600_000;
const wrong = "wrong-secret-canary";

function options(auth: WorkspaceAuth): LakebaseOptions {
  const { env, workspaceUrl, ca } = world.local;
  return { env, auth, workspaceHost: workspaceUrl, workspaceCa: ca };
}

const whoIs = (auth: WorkspaceAuth, more: LakebaseOptions = {}) => userOf(world, { ...options(auth), ...more });

async function failure(auth: WorkspaceAuth, more: LakebaseOptions = {}) {
  const error = await failureOf(world, { ...options(auth), ...more }, [wrong]);
  return { code: error.code, message: error.message };
}

const servicePrincipal = (more: object = {}) => clientCredentials({ ...world.local.servicePrincipal, ...more });
const person = () => personalAccessToken(world.local.user.personalAccessToken);
const html = { kind: "status", status: 200, body: "<html>", contentType: "text/html" } as const;

const identities: [string, () => WorkspaceAuth, () => string][] = [
  ["a service principal by its secret", servicePrincipal, () => world.local.servicePrincipal.clientId],
  ["a person by an access token for development", person, () => world.local.user.userName],
  [
    "whoever the application has a token of",
    () => accessToken(() => world.local.issueWorkspaceToken(world.local.user.userName)),
    () => world.local.user.userName,
  ],
];

describe.each(identities)("%s", (_name, auth, user) => {
  test("logs in, also when the clock of this machine is ten minutes wrong", async () => {
    expect(await whoIs(auth())).toBe(user());
    const { clock } = world.local;
    for (const offMs of [-10 * 60_000, 10 * 60_000]) {
      const ownClock = { now: () => clock.now() + offMs, monotonic: clock.monotonic };
      expect(await whoIs(auth(), { clock: ownClock })).toBe(user());
    }
  });

  test("logs in after its tokens ended, and after its credential was revoked", async () => {
    const lakebase = world.handle(options(auth()));
    const first = await lakebase.credential();
    world.local.clock.advance(2 * hour);
    const second = await lakebase.credential();
    expect(second.token.reveal()).not.toBe(first.token.reveal());
    world.local.revokeAll();
    const [row] = await world.open({ lakebase }).query("select current_user::text as me");
    expect(row?.me).toBe(user());
  });

  test.each<[string, string, RegExp, (local: typeof world.local) => LakebaseOptions | undefined]>([
    [
      "it may not use the database",
      "PERMISSION_DENIED",
      /credential request.*grant it access/,
      ({ faults }) => void faults.api({ on: "credential", kind: "status", status: 403 }),
    ],
    ["the workspace answers garbage", "BAD_RESPONSE", /not JSON/, ({ faults }) => void faults.api(html)],
    [
      "the workspace does not answer",
      "TIMEOUT",
      /not there within 400 ms/,
      ({ faults }) => {
        faults.api({ kind: "hang" });
        return { connectTimeoutMs: 400 };
      },
    ],
    [
      "the workspace is not the right one",
      "TLS",
      /certificate/,
      ({ faults }) => void faults.tls({ on: "api", kind: "untrusted" }),
    ],
  ])("is told what to do when %s", async (_row, code, message, arrange) => {
    const more = arrange(world.local);
    expect(await failure(auth(), more)).toEqual({
      code: `ERR_LAKEBASE_${code}`,
      message: expect.stringMatching(message),
    });
  });
});

describe("a service principal by its secret", () => {
  test("gets a new workspace token where the old one was revoked", async () => {
    const lakebase = world.handle(options(servicePrincipal()));
    const first = await lakebase.credential();
    world.local.revokeAll("workspace");
    lakebase.invalidate(first.token);
    await lakebase.credential();
    expect(world.requests("token")).toHaveLength(2);
  });

  test.each<[string, object, string, RegExp]>([
    [
      "its secret is wrong",
      { clientSecret: wrong },
      "UNAUTHENTICATED",
      /check its id and secret \(HTTP 401, invalid_client\)/,
    ],
    ["it is nobody", { clientId: "0000" }, "UNAUTHENTICATED", /invalid_client/],
    ["OAuth is said to be elsewhere", { discoveryUrl: "http://127.0.0.1/x" }, "TLS", /is not https/],
  ])("is told what to do when %s", async (_name, more, code, message) => {
    expect(await failure(servicePrincipal(more))).toEqual({
      code: `ERR_LAKEBASE_${code}`,
      message: expect.stringMatching(message),
    });
  });

  test.each<[string, object]>([
    ["tells its life as a text", { expires_in: "3600" }],
    ["tells no life", { expires_in: undefined }],
  ])("logs in where the token endpoint %s", async (_name, change) => {
    world.local.faults.api({ on: "token", kind: "alter", change: (body) => ({ ...body, ...change }) });
    expect(await whoIs(servicePrincipal())).toBe(world.local.servicePrincipal.clientId);
  });
});

describe("a token that the application or a person holds", () => {
  test("is refused when it is wrong, without being quoted", async () => {
    for (const auth of [personalAccessToken(wrong), accessToken(() => wrong)]) {
      expect(await failure(auth)).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    }
  });

  test("is asked for once more when the workspace refuses it", async () => {
    const { userName } = world.local.user;
    let calls = 0;
    const lakebase = world.handle(
      options(
        accessToken(() => {
          calls += 1;
          return world.local.issueWorkspaceToken(userName);
        }),
      ),
    );
    const first = await lakebase.credential();
    expect(calls).toBe(1);
    world.local.revokeAll("workspace");
    lakebase.invalidate(first.token);
    await lakebase.credential();
    expect(calls).toBe(2);
  });

  test("that has ended is refused, and a new one is taken up", async () => {
    const { userName } = world.local.user;
    let token = await world.local.issueWorkspaceToken(userName, { lifeSeconds: 60 });
    world.local.clock.advance(61_000);
    const lakebase = world.handle(options(accessToken(() => token)));
    expect(await rejection(lakebase.warmup())).toMatchObject({ code: "ERR_LAKEBASE_UNAUTHENTICATED" });
    token = await world.local.issueWorkspaceToken(userName);
    world.local.clock.advance(6000);
    await lakebase.warmup();
    expect(lakebase.health().status).toBe("ready");
  });
});

describe("a secret that is limited to scopes", () => {
  const limited = () => world.local.addServicePrincipal({ scopes: ["postgres"] });

  test("logs in with those that it is asked for with", async () => {
    const principal = await limited();
    expect(await whoIs(clientCredentials({ ...principal, scopes: ["postgres"] }))).toBe(principal.clientId);
  });

  test("is refused all others", async () => {
    expect(await failure(clientCredentials(await limited()))).toMatchObject({
      code: "ERR_LAKEBASE_PERMISSION_DENIED",
    });
  });

  test.each([[[]], ["postgres"], [["two words"]]])("is not asked for with %j", async (scopes) => {
    expect(await failure(servicePrincipal({ scopes }))).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringContaining("auth: clientCredentials.scopes"),
    });
  });
});
