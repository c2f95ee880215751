import { beforeAll, describe, expect, test } from "vitest";
import { pgAdapter } from "../contract/adapters/pg.ts";
import { createWorld, rejection } from "../contract/world.ts";
import { trying } from "./scene.ts";

type Endpoint = { name: string; uid: string; host: string; readOnlyHost: string };
const world = createWorld(pgAdapter);
const { use, pool, asked } = trying(world);

/** `shop`, whose default branch has a replica beside its primary, and another branch. */
let primary: Endpoint;
let replica: Endpoint;
let staging: Endpoint;
let plain: { name: string; host: string; readOnlyHost: string };
let upgraded: { name: string; host: string; readOnlyHost: string; endpoint: string | undefined };

beforeAll(() => {
  const shop = world.local.addProject({
    id: "shop",
    branches: [
      { id: "staging" },
      { id: "production", default: true, endpoints: [{ id: "replica", type: "READ_ONLY" }, { id: "primary" }] },
      { id: "empty", endpoints: [{ id: "reads", type: "READ_ONLY" }] },
    ],
  });
  const endpoints = shop.branches.flatMap((branch) => branch.endpoints);
  const named = (end: string) => {
    const found = endpoints.find(({ name }) => name.endsWith(end));
    if (!found) throw new Error(`no ${end}`);
    return found;
  };
  [primary, replica, staging] = [
    named("production/endpoints/primary"),
    named("production/endpoints/replica"),
    named("staging/endpoints/primary"),
  ];
  plain = world.local.addInstance({ name: "plain" });
  upgraded = world.local.addInstance({ name: "orders", upgraded: true });
});

const branch = "projects/shop/branches/production";

describe("a database is reached by", () => {
  test("its endpoint, for one call beside the credential", async () => {
    expect((await use({ options: { endpoint: primary.name } })).host).toBe(primary.host);
    expect(asked()).toEqual(["endpoint", "credential"]);
  });

  test.each(["LAKEBASE_ENDPOINT", "LAKEBASE_AUTOSCALING_ENDPOINT", "PGENDPOINT", "ENDPOINT_NAME"])(
    "its endpoint in %s and its host in PGHOST, for no call but the credential",
    async (name) => {
      expect((await use({ variables: { [name]: primary.name, PGHOST: primary.host } })).host).toBe(primary.host);
      expect(asked()).toEqual(["credential"]);
    },
  );

  test.each<[string, Parameters<typeof use>[0]]>([
    ["its branch", { options: { branch } }],
    ["its branch and project by their ids", { options: { branch: "production", project: "shop" } }],
    ["LAKEBASE_BRANCH", { variables: { LAKEBASE_BRANCH: branch } }],
    [
      "LAKEBASE_AUTOSCALING_BRANCH and _PROJECT",
      { variables: { LAKEBASE_AUTOSCALING_BRANCH: "production", LAKEBASE_AUTOSCALING_PROJECT: "shop" } },
    ],
  ])("%s, for one call", async (_name, attempt) => {
    expect(await use(attempt)).toMatchObject({ host: primary.host, replica: false });
    expect(asked()).toEqual(["endpoints", "credential"]);
  });

  test.each<[string, Parameters<typeof use>[0]]>([
    ["its project", { options: { project: "shop" } }],
    ["LAKEBASE_PROJECT", { variables: { LAKEBASE_PROJECT: "projects/shop" } }],
    ["LAKEBASE_AUTOSCALING_PROJECT", { variables: { LAKEBASE_AUTOSCALING_PROJECT: "shop" } }],
  ])("%s, for two calls", async (_name, attempt) => {
    expect((await use(attempt)).host).toBe(primary.host);
    expect(asked()).toEqual(["branches", "endpoints", "credential"]);
  });

  test("the name of its instance, for one call", async () => {
    expect((await use({ options: { instance: plain.name } })).host).toBe(plain.host);
    expect(asked()).toEqual(["instance", "credential"]);
  });

  test("the host of its instance alone, for one call", async () => {
    expect((await use({ variables: { PGHOST: plain.host } })).host).toBe(plain.host);
    expect(asked()).toEqual(["instance", "credential"]);
  });

  test("the host of its instance that reads only", async () => {
    expect(await use({ variables: { PGHOST: plain.readOnlyHost } })).toMatchObject({
      host: plain.readOnlyHost,
      replica: true,
    });
  });

  test("the host of its endpoint alone, by a search", async () => {
    expect((await use({ options: { host: staging.host } })).host).toBe(staging.host);
    expect(asked().filter((operation) => operation === "projects")).toHaveLength(1);
    expect(asked().at(-1)).toBe("credential");
    expect(new Set(asked())).toEqual(new Set(["projects", "branches", "endpoints", "credential"]));
  });

  test.each(["primary", "replica"] as const)("the host that reads only of its %s", async (which) => {
    const host = which === "primary" ? primary.readOnlyHost : replica.host;
    expect(await use({ variables: { PGHOST: host } })).toMatchObject({ host, replica: true });
  });

  test("a search of one connection string, once in the life of a handle", async () => {
    await using own = pool(
      { options: { connectionString: `postgresql://${staging.host}/databricks_postgres` } },
      { max: 5 },
    );
    await Promise.all(Array.from({ length: 5 }, () => own.query("select pg_sleep(0.05)")));
    await own.lakebase.credential();
    expect(world.logins()).toHaveLength(5);
    expect(asked().filter((operation) => operation === "projects" || operation === "credential")).toEqual([
      "projects",
      "credential",
    ]);
  });
});

describe("an upgraded instance, which both APIs know, is reached by", () => {
  test.each([
    ["its old name", () => ({ instance: upgraded.name }), "instance"],
    ["its old host alone", () => ({ host: upgraded.host }), "instance"],
    ["its endpoint", () => ({ endpoint: upgraded.endpoint }), "endpoint"],
    ["its project", () => ({ project: upgraded.name }), "endpoints"],
    ["its project and its old host", () => ({ project: upgraded.name, host: upgraded.host }), "endpoints"],
    ["its endpoint and its old host", () => ({ endpoint: upgraded.endpoint, host: upgraded.host }), undefined],
    ["its old name and its old host", () => ({ instance: upgraded.name, host: upgraded.host }), undefined],
  ] as const)("%s", async (_name, options, call) => {
    expect((await use({ options: options() })).host).toBe(upgraded.host);
    if (call) expect(asked()).toContain(call);
    else expect(asked()).toEqual(["credential"]);
  });
});

describe("only reading is", () => {
  test.each([
    ["an endpoint's own host for it", () => ({ endpoint: primary.name }), () => primary.readOnlyHost],
    ["a branch's", () => ({ branch }), () => primary.readOnlyHost],
    [
      "a read-only endpoint, where the project's other one has no such host",
      () => ({ endpoint: replica.name }),
      () => replica.host,
    ],
    ["an instance's", () => ({ instance: plain.name }), () => plain.readOnlyHost],
  ] as const)("%s", async (_name, options, host) => {
    expect(await use({ options: { ...options(), access: "read-only" } })).toMatchObject({
      host: host(),
      replica: true,
    });
  });

  test("a choice of one pool on a handle that writes", async () => {
    await using own = pool({ variables: { PGHOST: primary.host, LAKEBASE_ENDPOINT: primary.name } });
    const { lakebasePool } = await import("@x/lakebase-core/pg");
    await using readers = lakebasePool({ lakebase: own.lakebase, access: "read-only" });
    await own.query("select 1");
    await expect(readers.query("create table reading_only (id int)")).rejects.toMatchObject({ code: "25006" });
    expect(world.logins().map(({ host }) => host)).toEqual([primary.host, primary.readOnlyHost]);
    expect(asked()).toEqual(["credential", "endpoint"]);
  });
});

describe("what cannot be found is told with the choices or the way out:", () => {
  test("a branch without a read-write endpoint", async () => {
    const error = await rejection(use({ options: { branch: "projects/shop/branches/empty" } }));
    expect(error.message).toBe(
      "Lakebase configuration: `endpoint` (environment: LAKEBASE_ENDPOINT): is needed, because projects/shop/branches/empty has no read-write endpoint: choose one of projects/shop/branches/empty/endpoints/reads",
    );
    expect(world.arrivals().connections).toBe(0);
  });

  test("a project with two default branches", async () => {
    const { name } = world.local.addProject({
      branches: [
        { id: "one", default: true },
        { id: "two", default: true },
      ],
    });
    const error = await rejection(use({ options: { project: name } }));
    expect(error.message).toMatch(
      /`branch` \(environment: LAKEBASE_BRANCH\).*several default branches: choose one of .*one, .*two$/,
    );
  });

  test("a project that there is not", async () => {
    expect(await rejection(use({ options: { project: "none" } }))).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND" });
  });

  test.each([
    [
      "ep-none-none-a1b2c3d4.database.us-west-2.cloud.databricks.com",
      /is of no endpoint .* in https:\/\/.*LAKEBASE_ENDPOINT$/,
    ],
    [
      "instance-3f2a1b4c-0d1e-4f5a-8b6c-7d8e9f0a1b2c.database.cloud.databricks.com",
      /is no instance .* in https:\/\/.*LAKEBASE_ENDPOINT$/,
    ],
  ])("the host %s", async (host, message) => {
    const error = await rejection(use({ variables: { PGHOST: host } }));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND", message: expect.stringMatching(message) });
    expect(error.message).toContain(world.local.workspaceUrl);
    expect(world.arrivals().connections).toBe(0);
  });

  test.each(["projects", "branches", "endpoints"] as const)("a host where %s may not be listed", async (on) => {
    const forbidden = world.local.faults.forbid({ on });
    const error = await rejection(use({ variables: { PGHOST: staging.host } }));
    forbidden.clear();
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_PERMISSION_DENIED",
      message: expect.stringMatching(/name the endpoint with `endpoint` or LAKEBASE_ENDPOINT$/),
    });
  });

  test("a host whose instance may not be looked up", async () => {
    const forbidden = world.local.faults.forbid({ on: "instance" });
    const error = await rejection(use({ variables: { PGHOST: plain.host } }));
    forbidden.clear();
    expect(error).toMatchObject({
      code: "ERR_LAKEBASE_PERMISSION_DENIED",
      message: expect.stringMatching(/LAKEBASE_ENDPOINT$/),
    });
  });
});
