import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  environmentOidc,
  fileOidc,
  githubOidc,
  type LakebaseOptions,
  tokenExchange,
  type WorkspaceAuth,
} from "@x/lakebase-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";
import { type GithubOidc, openGithubOidc } from "../stand-ins/github-oidc.ts";
import { garbage } from "../stand-ins/stand-in-server.ts";
import { failureOf, userOf } from "./login-checks.ts";

const world = createWorld(pgAdapter);
const hour = 3_600_000;
let github: GithubOidc;
let clientId: string;
let trust: { remove(): void };
let folder: string;
let tokenFile: string;

beforeAll(async () => {
  github = await openGithubOidc(() => world.local.clock.now());
  folder = mkdtempSync(join(tmpdir(), "federation-"));
  clientId = world.local.servicePrincipal.clientId;
});
afterAll(async () => {
  await github[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  tokenFile = join(mkdtempSync(join(folder, "t-")), "token");
  trust = world.local.trustIssuer({
    issuer: github.issuer,
    keys: github.keys,
    servicePrincipal: { clientId, subject: github.subject },
  });
});
afterEach(() => {
  trust.remove();
  github.fault = undefined;
  Object.assign(github.tokens, { lifeSeconds: 300, skewSeconds: 0 });
});

/** The target by the environment, the identity by an option. */
function options(auth: WorkspaceAuth, env: Record<string, string> = {}): LakebaseOptions {
  return {
    env: { ...world.local.env, ...github.env, ...env },
    auth,
    workspaceHost: world.local.workspaceUrl,
    workspaceCa: world.local.ca + github.ca,
  };
}

const whoIs = (auth: WorkspaceAuth, more: LakebaseOptions = {}) => userOf(world, { ...options(auth), ...more });

async function failure(auth: WorkspaceAuth, more: LakebaseOptions = {}) {
  // Those of GitHub are not all there before the login.
  const secrets = [github.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN];
  const error = await failureOf(world, { ...options(auth), ...more }, () => [...secrets, ...github.issued]);
  return { code: error.code, message: error.message };
}

const audience = () => `${world.local.workspaceUrl}/oidc/v1/token`;

describe("a job of GitHub Actions", () => {
  test("logs in as the service principal whose policy names the job, without any Databricks secret", async () => {
    expect(await whoIs(githubOidc({ clientId }))).toBe(clientId);
    expect(github.requests.at(-1)?.query.get("audience")).toBe(audience());
    const [exchange] = world.requests("token");
    expect(exchange?.headers.authorization).toBeUndefined();
    expect(exchange?.body).toContain(`client_id=${clientId}`);
    expect(world.requests("me")).toHaveLength(0);
  });

  test("asks GitHub anew at every exchange, and nobody twice where OAuth is", async () => {
    const before = github.requests.length;
    const lakebase = world.handle(options(githubOidc({ clientId })));
    await lakebase.warmup();
    world.local.clock.advance(2 * hour);
    await lakebase.warmup();
    expect(github.requests.length - before).toBe(2);
    expect(new Set(github.issued.slice(-2)).size).toBe(2);
    expect(world.requests("token")).toHaveLength(2);
    expect(world.requests("discovery").map(({ path }) => path)).toEqual([
      "/.well-known/databricks-config",
      "/oidc/.well-known/oauth-authorization-server",
    ]);
  });

  test("gets a new workspace token where the old one was revoked", async () => {
    const lakebase = world.handle(options(githubOidc({ clientId })));
    const first = await lakebase.credential();
    world.local.revokeAll("workspace");
    lakebase.invalidate(first.token);
    expect((await lakebase.credential()).token.reveal()).not.toBe(first.token.reveal());
    expect(world.requests("token")).toHaveLength(2);
  });

  test("asks for another audience where it is told to", async () => {
    expect(await failure(githubOidc({ clientId, audience: "https://github.com/acme" }))).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringContaining('and audience "https://github.com/acme"?'),
    });
    trust.remove();
    trust = world.local.trustIssuer({
      issuer: github.issuer,
      keys: github.keys,
      audiences: ["https://github.com/acme"],
      servicePrincipal: { clientId, subject: github.subject },
    });
    expect(await whoIs(githubOidc({ clientId, audience: "https://github.com/acme" }))).toBe(clientId);
  });

  test("does not depend on its own clock being right", async () => {
    const { clock } = world.local;
    for (const offMs of [-10 * 60_000, 10 * 60_000]) {
      const ownClock = { now: () => clock.now() + offMs, monotonic: clock.monotonic };
      expect(await whoIs(githubOidc({ clientId }), { clock: ownClock })).toBe(clientId);
    }
  });

  test.each<[string, string, RegExp, () => LakebaseOptions | undefined]>([
    [
      "the job may not ask for a token",
      "CONFIG",
      /permissions: \{ id-token: write \}/,
      () => ({ env: { ...world.local.env, ACTIONS_ID_TOKEN_REQUEST_URL: "" } }),
    ],
    [
      "its request token is wrong",
      "UNAUTHENTICATED",
      /GitHub gives this job no token.*HTTP 401/,
      () => ({ env: { ...world.local.env, ...github.env, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "ended" } }),
    ],
    [
      "GitHub does not allow it",
      "PERMISSION_DENIED",
      /id-token: write/,
      () => {
        github.fault = { status: 403, body: { message: "Forbidden" } };
        return undefined;
      },
    ],
    [
      "GitHub answers garbage",
      "BAD_RESPONSE",
      /GitHub OIDC token request.*not JSON/,
      () => {
        github.fault = garbage;
        return undefined;
      },
    ],
    [
      "GitHub answers no token",
      "BAD_RESPONSE",
      /holds no token/,
      () => {
        github.fault = { status: 200, body: { count: 0 } };
        return undefined;
      },
    ],
    [
      "GitHub answers something else than a JWT",
      "UNAUTHENTICATED",
      /no JWT, so it was not sent/,
      () => {
        github.fault = { status: 200, body: { value: "opaque" } };
        return undefined;
      },
    ],
    [
      "GitHub does not answer",
      "TIMEOUT",
      /not there within 400 ms/,
      () => {
        github.fault = "hang";
        return { connectTimeoutMs: 400 };
      },
    ],
    [
      "GitHub cuts the line",
      "UNAVAILABLE",
      /GitHub OIDC token request.*ECONNRESET/,
      () => {
        github.fault = "cut";
        return { connectTimeoutMs: 400 };
      },
    ],
    [
      "the token has ended on the way",
      "UNAUTHENTICATED",
      /had ended at 20\d\d-/,
      () => {
        github.tokens.lifeSeconds = -1;
        return undefined;
      },
    ],
    [
      "GitHub's clock is ahead",
      "UNAUTHENTICATED",
      /good from 20\d\d-.* on only: is the clock/,
      () => {
        github.tokens.skewSeconds = 600;
        return undefined;
      },
    ],
    [
      "the policy was removed",
      "UNAUTHENTICATED",
      /Is there a federation policy of the service principal .* for issuer "https:\/\/token\.actions\.githubusercontent\.com", subject "repo:acme\/shop:environment:production" and audience "https:/,
      () => {
        trust.remove();
        return undefined;
      },
    ],
    [
      "the workspace does not allow the exchange",
      "PERMISSION_DENIED",
      /invalid_scope/,
      () => {
        world.local.faults.api({ on: "token", kind: "status", status: 400, body: { error: "invalid_scope" } });
        return undefined;
      },
    ],
    [
      "the workspace does not answer",
      "TIMEOUT",
      /not there within 400 ms/,
      () => {
        world.local.faults.api({ on: "token", kind: "hang" });
        return { connectTimeoutMs: 400 };
      },
    ],
    [
      "the workspace answers garbage",
      "BAD_RESPONSE",
      /OAuth token request.*not JSON/,
      () => {
        world.local.faults.api({ on: "token", kind: "status", status: 200, body: "<html>", contentType: "text/html" });
        return undefined;
      },
    ],
    [
      "its principal may not use the database",
      "PERMISSION_DENIED",
      /credential request/,
      () => {
        world.local.faults.api({ on: "credential", kind: "status", status: 403 });
        return undefined;
      },
    ],
  ])("is told what to do when %s", async (_name, code, message, arrange) => {
    const more = arrange();
    expect(await failure(githubOidc({ clientId }), more)).toEqual({
      code: `ERR_LAKEBASE_${code}`,
      message: expect.stringMatching(message),
    });
  });

  test("is told when the service principal is nobody", async () => {
    expect(await failure(githubOidc({ clientId: "0000" }))).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringMatching(/service principal 0000 was not accepted.*application id.*invalid_client/),
    });
  });
});

describe("a token in a file", () => {
  const write = (token: string) => writeFileSync(tokenFile, `${token}\n`);

  test("logs its service principal in, and a rotated one without a restart", async () => {
    write(github.issue(audience()));
    const lakebase = world.handle(options(fileOidc({ path: tokenFile, clientId })));
    const app = world.open({ lakebase });
    const ask = async () => (await app.query("select current_user::text as me"))[0]?.me;
    expect(await ask()).toBe(clientId);

    world.local.clock.advance(2 * hour);
    await world.endSessions();
    expect((await rejection(lakebase.credential())).message).toMatch(/the token to be exchanged had ended at/);

    // As Kubernetes does it: a new folder, and a link that is moved to it in one step.
    const next = mkdtempSync(join(folder, "rotated-"));
    writeFileSync(join(next, "token"), github.issue(audience()));
    symlinkSync(join(next, "token"), join(next, "link"));
    renameSync(join(next, "link"), tokenFile);
    world.local.clock.advance(6000);
    expect(await ask()).toBe(clientId);
  });

  test("keeps working while the file is away, as long as what it got with it lives", async () => {
    write(github.issue(audience()));
    const lakebase = world.handle(options(fileOidc({ path: tokenFile, clientId })));
    await lakebase.warmup();
    rmSync(tokenFile);
    world.local.clock.advance(hour - 10 * 60_000);
    await lakebase.credential();
    expect(lakebase.health().token?.remainingMs).toBeGreaterThan(0);
  });

  test.each<[string, RegExp, () => void]>([
    ["is not there", /the file \S+ is not there: is it mounted/, () => {}],
    ["is empty", /the file \S+ is empty: what writes it/, () => write(" ")],
    ["is a folder", /the file \S+ is a folder/, () => symlinkSync(folder, tokenFile)],
  ])("is named when it %s", async (_name, message, arrange) => {
    arrange();
    const { code, message: said } = await failure(fileOidc({ path: tokenFile, clientId }));
    expect(code).toBe("ERR_LAKEBASE_CONFIG");
    expect(said).toMatch(message);
    expect(said).toContain(tokenFile);
    expect(world.requests()).toEqual([]);
  });
  test("is not sent when it is something else", async () => {
    write('{"password":"hunter2"}');
    const { code, message } = await failure(fileOidc({ path: tokenFile, clientId }));
    expect(code).toBe("ERR_LAKEBASE_UNAUTHENTICATED");
    expect(message).toMatch(/no JWT/);
    expect(message).not.toContain("hunter2");
    expect(world.requests()).toEqual([]);
  });

  test("of somebody else is refused", async () => {
    const [header, , signature] = github.issue(audience()).split(".");
    const claims = { iss: github.issuer, sub: "repo:mallory/shop", aud: audience(), exp: 4_000_000_000 };
    write([header, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join("."));
    expect(await failure(fileOidc({ path: tokenFile, clientId }))).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringContaining('subject "repo:mallory/shop"'),
    });
  });
});

describe("a token in the environment", () => {
  test("logs its service principal in, from the variable that is named", async () => {
    const env = () => ({ ...world.local.env, DATABRICKS_OIDC_TOKEN: github.issue(audience()) });
    expect(await whoIs(environmentOidc({ clientId }), { env: env() })).toBe(clientId);
    const named = { ...world.local.env, CI_JOB_JWT: github.issue(audience()) };
    expect(await whoIs(environmentOidc({ clientId, variable: "CI_JOB_JWT" }), { env: named })).toBe(clientId);
  });

  test("is read at every exchange", async () => {
    const env: Record<string, string> = { ...world.local.env, DATABRICKS_OIDC_TOKEN: github.issue(audience()) };
    const lakebase = world.handle({ ...options(environmentOidc({ clientId })), env });
    await lakebase.warmup();
    env.DATABRICKS_OIDC_TOKEN = github.issue(audience());
    world.local.clock.advance(2 * hour - hour / 20);
    env.DATABRICKS_OIDC_TOKEN = github.issue(audience());
    await lakebase.warmup();
    expect(world.requests("token")).toHaveLength(2);
  });

  test("is missed by its name, and looked for nowhere else", async () => {
    process.env.SUBJECT_TOKEN_OF_NOBODY = github.issue(audience());
    expect(await failure(environmentOidc({ clientId, variable: "SUBJECT_TOKEN_OF_NOBODY" }))).toEqual({
      code: "ERR_LAKEBASE_CONFIG",
      message: expect.stringMatching(/\(environment: SUBJECT_TOKEN_OF_NOBODY\): is empty/),
    });
    delete process.env.SUBJECT_TOKEN_OF_NOBODY;
    expect(world.requests()).toEqual([]);
  });
});

describe("a token of the application's own provider", () => {
  test("logs a person in by the account's policy, and the workspace says who it is", async () => {
    const { userName } = world.local.user;
    const subjectToken = () => world.local.issueSubjectToken({ subject: userName });
    expect(await whoIs(tokenExchange({ subjectToken }))).toBe(userName);
    expect(world.requests("token")[0]?.body).not.toContain("client_id");
    expect(world.requests("me")).toHaveLength(1);
  });

  test("of nobody is refused, with what the account would have to trust", async () => {
    const subjectToken = () => world.local.issueSubjectToken({ subject: "nobody@example.com" });
    expect(await failure(tokenExchange({ subjectToken }))).toMatchObject({
      code: "ERR_LAKEBASE_UNAUTHENTICATED",
      message: expect.stringMatching(/federation policy of the account for issuer .* subject "nobody@example.com"/),
    });
  });

  test("is asked for again after the function failed", async () => {
    let calls = 0;
    const subjectToken = async () => {
      calls += 1;
      if (calls === 1) throw new Error("the provider is down");
      return world.local.issueSubjectToken();
    };
    expect(await whoIs(tokenExchange({ subjectToken, clientId }))).toBe(clientId);
    expect(calls).toBe(2);
  });
});
