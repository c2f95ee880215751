import { clientCredentials, createLakebase, type LakebaseOptions } from "@x/lakebase-core";
import { lakebasePool } from "@x/lakebase-core/pg";
import { beforeAll, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld } from "../contract/world.ts";

/**
 * The rule of groups with real logins: everything that the environment names is another database and another identity than
 * the options name, and whoever arrives is what one of them says as a whole. Every combination without a login is held in
 * core's own tests.
 */
const world = createWorld(pgAdapter);
type Place = { endpoint: string; branch: string; project: string; host: string };
let mine: Place;
let theirs: Place;
let me: { clientId: string; clientSecret: string };

beforeAll(async () => {
  const place = (id: string): Place => {
    const [branch] = world.local.addProject({ id }).branches;
    const [endpoint] = branch?.endpoints ?? [];
    if (!branch || !endpoint) throw new Error("no endpoint");
    return { endpoint: endpoint.name, branch: branch.name, project: id, host: endpoint.host };
  };
  [mine, theirs] = [place("mine"), place("theirs")];
  me = await world.local.addServicePrincipal();
});

/** The environment's database, service principal and native role, all at once. */
const environment = () => ({
  ...world.local.env,
  LAKEBASE_ENDPOINT: theirs.endpoint,
  PGHOST: theirs.host,
});
const network = () => ({ hostAddress: world.local.hostAddress, port: world.local.port });
const asMe = () => ({
  auth: clientCredentials(me),
  workspaceHost: world.local.workspaceUrl,
  workspaceCa: world.local.ca,
});

test.each<[string, () => LakebaseOptions, () => string, () => string]>([
  ["nothing", () => ({}), () => theirs.host, () => world.local.servicePrincipal.clientId],
  [
    "an endpoint",
    () => ({ endpoint: mine.endpoint, ...network() }),
    () => mine.host,
    () => world.local.servicePrincipal.clientId,
  ],
  [
    "a branch",
    () => ({ branch: mine.branch, ...network() }),
    () => mine.host,
    () => world.local.servicePrincipal.clientId,
  ],
  [
    "a project",
    () => ({ project: mine.project, ...network() }),
    () => mine.host,
    () => world.local.servicePrincipal.clientId,
  ],
  ["a host", () => ({ host: mine.host, ...network() }), () => mine.host, () => world.local.servicePrincipal.clientId],
  ["an identity", asMe, () => theirs.host, () => me.clientId],
  [
    "an endpoint and an identity",
    () => ({ ...asMe(), endpoint: mine.endpoint, ...network() }),
    () => mine.host,
    () => me.clientId,
  ],
  ["a host and an identity", () => ({ ...asMe(), host: mine.host, ...network() }), () => mine.host, () => me.clientId],
  [
    "a native role",
    () => ({ ...world.local.nativeRole, host: mine.host, ...network() }),
    () => mine.host,
    () => world.local.nativeRole.user,
  ],
])(
  "given %s, a login goes there and as that one, and the rest of the environment counts",
  async (_name, options, host, user) => {
    const { local } = world;
    await using pool = lakebasePool({ env: environment(), clock: local.clock, ...options(), max: 1 });
    const { rows } = await pool.query("select current_user::text as user");
    expect(rows).toEqual([{ user: user() }]);
    expect(world.logins().map((login) => [login.host, login.user, login.outcome])).toEqual([
      [host(), user(), "accepted"],
    ]);
  },
);

test.each<[string, () => LakebaseOptions, Record<string, string>, RegExp]>([
  ["a port", () => ({ port: world.local.port }), {}, /`endpoint`.*the environment is not read for it/],
  [
    "an identity without its workspace",
    () => ({ auth: clientCredentials(me) }),
    {},
    /`workspaceHost`.*the environment is not read for it/,
  ],
  ["a user", () => ({ user: "ada" }), {}, /`auth`.*the environment is not read for it/],
  ["the password of a native role", () => ({ password: "pw" }), {}, /`user`.*the environment is not read for it/],
])("given %s alone nobody logs in: the environment does not fill the gap", async (_name, options, env, message) => {
  const lakebase = createLakebase({ env: { ...environment(), ...env }, clock: world.local.clock, ...options() });
  await expect(lakebase.warmup()).rejects.toMatchObject({
    code: "ERR_LAKEBASE_CONFIG",
    message: expect.stringMatching(message),
  });
  await lakebase.close();
  expect([world.requests(), world.logins(), world.arrivals().connections]).toEqual([[], [], 0]);
});

test("a PGPASSWORD beside an endpoint is not used, and told", async () => {
  const { local } = world;
  const ignored: unknown[] = [];
  await using pool = lakebasePool({
    env: { ...environment(), PGPASSWORD: local.nativeRole.password },
    clock: local.clock,
    onEvent: (event) => event.type === "ignored" && ignored.push(event.setting),
  });
  await pool.query("select 1");
  expect(ignored).toEqual(["PGPASSWORD"]);
  expect(world.logins()).toMatchObject([{ user: local.servicePrincipal.clientId }]);
});

test("env: {} is no environment at all", async () => {
  const lakebase = createLakebase({ env: {} });
  await expect(lakebase.warmup()).rejects.toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
  expect(world.requests()).toEqual([]);
});
