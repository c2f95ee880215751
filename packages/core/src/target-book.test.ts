import { beforeAll, describe, expect, test } from "vitest";
import {
  databaseHost,
  failure,
  fakeWorkspace,
  json,
  paths,
  type SentRequest,
  silence,
  watch,
} from "../test/fake-workspace.ts";
import { completeClock } from "./clock.ts";
import { resolveConfig } from "./config.ts";
import { LakebaseError } from "./errors.ts";
import { Handle, type HandleParts } from "./handle.ts";
import { maxSearchCalls } from "./host-search.ts";
import { personalAccessToken } from "./identity/personal-access-token.ts";
import { logIn } from "./login.ts";
import type { LakebaseOptions } from "./options.ts";
import { isHostGone } from "./target-book.ts";

const zone = "database.us-west-2.cloud.databricks.com";
const replicaHost = databaseHost.replace("ep-cool-river", "ep-calm-lake").replace(".database", "-ro.database");
const instanceUid = "3f2a1b4c-0d1e-4f5a-8b6c-7d8e9f0a1b2c";
const instanceHost = `instance-${instanceUid}.database.cloud.databricks.com`;
const workspaceHost = "https://acme.cloud.databricks.com";

// What is loaded with the first use is loaded before: the clock of a test does not wait for files.
beforeAll(() => setUp({ branch: production }).handle.connection());

type Type = "READ_WRITE" | "READ_ONLY";
interface Endpoint {
  name?: string;
  uid?: string;
  status: { endpoint_type: string; hosts?: Record<string, string> };
}
const endpointOf = (name: string, type: Type, host?: string, more: Record<string, string> = {}): Endpoint => ({
  name,
  ...(host === undefined ? {} : { uid: host.split(".")[0] ?? "" }),
  status: { endpoint_type: `ENDPOINT_TYPE_${type}`, ...(host === undefined ? {} : { hosts: { host, ...more } }) },
});
const branchOf = (name: string, isDefault = false) => ({ name, status: isDefault ? { default: true } : {} });
const shop = "projects/shop";
const production = `${shop}/branches/production`;
const primary = endpointOf(`${production}/endpoints/primary`, "READ_WRITE", databaseHost);
const replica = endpointOf(`${production}/endpoints/replica`, "READ_ONLY", replicaHost);

function setUp(options: LakebaseOptions) {
  const workspace = fakeWorkspace();
  const { clock, answers } = workspace;
  answers[paths.projects] = () => json({ projects: [{ name: shop }] });
  answers[paths.branches] = () => json({ branches: [branchOf(`${shop}/branches/dev`), branchOf(production, true)] });
  answers[paths.endpoints] = () => json({ endpoints: [replica, primary] });
  answers[paths.instanceByUid] = () => json({ name: "shop-db", uid: instanceUid, read_write_dns: instanceHost });
  const events: unknown[] = [];
  const config = resolveConfig({
    workspaceHost,
    auth: personalAccessToken("dapi0123"),
    user: "ada@acme.example",
    env: {},
    fetch: workspace.fetch,
    clock,
    ...options,
  });
  const parts: HandleParts = {
    config,
    clock: completeClock(clock),
    label: "the target",
    defaultName: "x-lakebase-core/0",
    emit: (event) => events.push(event),
  };
  const handle = new Handle(parts);
  const connect = (own: Parameters<Handle["connection"]>[0] = {}) => watch(handle.connection(own)).now();
  const asked = () => workspace.requests.map(({ path }) => path);
  const mintedFor = () =>
    workspace.requests.flatMap(({ path, body }) =>
      path === paths.credential || path === paths.instanceCredential ? [JSON.parse(body ?? "")] : [],
    );
  return { ...workspace, handle, parts, events, connect, asked, mintedFor };
}

/** A list in pages of `size`, whose token is the place to go on from. */
const paged = (field: string, items: readonly unknown[], size: number) => (request: SentRequest) => {
  const start = Number(new URL(request.url).searchParams.get("page_token") ?? 0);
  const next = start + size < items.length ? { next_page_token: String(start + size) } : {};
  return json({ [field]: items.slice(start, start + size), ...next });
};

describe("a branch", () => {
  test.each<[string, LakebaseOptions]>([
    ["its name", { branch: production }],
    ["its id beside the project's", { branch: "production", project: "shop" }],
    [
      "the variables of a platform",
      { env: { LAKEBASE_AUTOSCALING_BRANCH: "production", LAKEBASE_AUTOSCALING_PROJECT: "shop" } },
    ],
  ])("is reached at its read-write endpoint, by %s and one call", async (_name, options) => {
    const { connect, asked, mintedFor } = setUp(options);
    expect((await connect()).value?.host).toBe(databaseHost);
    expect(asked()).toEqual([paths.endpoints, paths.credential]);
    expect(mintedFor()).toEqual([{ endpoint: primary.name }]);
  });

  test("is asked about once in the life of a handle", async () => {
    const { connect, asked, handle } = setUp({ branch: production });
    for (let time = 0; time < 3; time += 1) await connect();
    await handle.credential();
    expect(asked()).toEqual([paths.endpoints, paths.credential]);
  });

  test("is reached at a host for reading only, at no further call", async () => {
    const { connect, asked, answers } = setUp({ branch: production });
    const both = endpointOf(primary.name ?? "", "READ_WRITE", databaseHost, { read_only_host: replicaHost });
    answers[paths.endpoints] = () => json({ endpoints: [both] });
    expect((await connect({ access: "read-only" })).value?.host).toBe(replicaHost);
    expect((await connect()).value?.host).toBe(databaseHost);
    expect(asked()).toEqual([paths.endpoints, paths.credential]);
  });

  test("is reached for reading only at its one read-only endpoint, where the other has no such host", async () => {
    const { connect, asked } = setUp({ branch: production });
    expect((await connect({ access: "read-only" })).value?.host).toBe(replicaHost);
    expect((await connect({ access: "read-only" })).value?.host).toBe(replicaHost);
    expect(asked().filter((path) => path === paths.endpoints)).toHaveLength(2);
  });

  test.each<[string, Endpoint[], string]>([
    [
      "no read-write endpoint",
      [replica],
      `is needed, because ${production} has no read-write endpoint: choose one of ${replica.name}`,
    ],
    ["no endpoint", [], `is needed, because ${production} has no read-write endpoint: there is none to choose`],
    [
      "several read-write endpoints",
      [primary, endpointOf(`${production}/endpoints/second`, "READ_WRITE")],
      `is needed, because ${production} has several read-write endpoints: choose one of ${primary.name}, ${production}/endpoints/second`,
    ],
  ])("with %s is an error that lists the choices", async (_name, endpoints, message) => {
    const { connect, answers, calls } = setUp({ branch: production });
    answers[paths.endpoints] = () => json({ endpoints });
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [{ option: "endpoint", variable: "LAKEBASE_ENDPOINT", message }],
    });
    expect(calls(paths.credential)).toBe(0);
  });

  test("with several read-only endpoints is an error for those who want to read only, and for nobody else", async () => {
    const { connect, answers } = setUp({ branch: production });
    const second = endpointOf(`${production}/endpoints/second`, "READ_ONLY");
    answers[paths.endpoints] = () => json({ endpoints: [primary, replica, second] });
    expect((await connect({ access: "read-only" })).error).toMatchObject({
      problems: [{ message: expect.stringMatching(/several read-only endpoints: choose one of .*replica, .*second$/) }],
    });
    expect((await connect()).value?.host).toBe(databaseHost);
  });

  test("lists twenty of many choices", async () => {
    const { connect, answers } = setUp({ branch: production });
    const endpoints = Array.from({ length: 25 }, (_, index) =>
      endpointOf(`${production}/endpoints/e${index}`, "READ_ONLY"),
    );
    answers[paths.endpoints] = () => json({ endpoints });
    expect((await connect()).error).toMatchObject({ message: expect.stringMatching(/e19, 5 more$/) });
  });

  test("that may not be looked into is an error with the way out", async () => {
    const { connect, answers } = setUp({ branch: production });
    answers[paths.endpoints] = () => failure(403);
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_PERMISSION_DENIED",
      message: expect.stringMatching(/or name the endpoint with `endpoint` or LAKEBASE_ENDPOINT$/),
    });
  });

  test("takes the host that was given, if it is one of its own", async () => {
    const { connect } = setUp({ branch: production, host: replicaHost });
    expect((await connect()).value?.host).toBe(replicaHost);
  });

  test.each(["host", "PGHOST"])("refuses the %s of another branch before anything is minted", async (where) => {
    const host = `ep-other-place-a1b2c3d4.${zone}`;
    const { connect, calls } = setUp(
      where === "host" ? { branch: production, host } : { env: { LAKEBASE_BRANCH: production, PGHOST: host } },
    );
    expect((await connect()).error).toMatchObject({
      problems: [
        {
          option: "host",
          variable: "PGHOST",
          message: `is ${host}, which is no host of the target; its hosts are ${replicaHost}, ${databaseHost}; remove one of the two`,
        },
      ],
    });
    expect(calls(paths.credential)).toBe(0);
  });

  test.each([
    ["an upgraded instance, which keeps its name", instanceHost, []],
    ["one's own, which is trusted", "db.example", ["db.example"]],
  ])("takes a host of %s", async (_name, host, trustedHosts) => {
    const { connect } = setUp({ branch: production, host, trustedHosts });
    expect((await connect()).value?.host).toBe(host);
  });

  test("whose endpoint was replaced by one of another name is asked about again, when the old one is not found", async () => {
    const { connect, answers, mintedFor, clock, handle } = setUp({ branch: production });
    const settings = (await connect()).value;
    const next = endpointOf(`${production}/endpoints/next`, "READ_WRITE", `ep-next-place-a1b2c3d4.${zone}`);
    answers[paths.endpoints] = () => json({ endpoints: [next] });
    const mint = answers[paths.credential] ?? silence;
    answers[paths.credential] = (request) =>
      JSON.parse(request.body ?? "").endpoint === next.name ? mint(request) : failure(404);
    handle.invalidate(settings?.password ?? "");
    expect((await connect()).error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND" });
    await clock.advance(5000);
    expect((await connect()).value?.host).toBe(next.status.hosts?.host);
    expect(mintedFor().map(({ endpoint }) => endpoint)).toEqual([primary.name, primary.name, next.name]);
  });
});

test("a refresh that does not find the endpoint of a branch takes nothing from those who have a token", async () => {
  const { connect, answers, clock, calls } = setUp({ branch: production });
  await connect();
  for (const path of [paths.credential, paths.endpoints]) answers[path] = () => failure(404);
  await clock.advance(50 * 60_000);
  expect((await connect()).value?.host).toBe(databaseHost);
  await clock.advance(60_000);
  expect((await connect()).value?.host).toBe(databaseHost);
  expect([calls(paths.credential) > 1, calls(paths.endpoints) > 1]).toEqual([true, true]);
});

test("a named endpoint that is not found is not looked up in its stead", async () => {
  const { connect, answers, calls, clock, handle } = setUp({ endpoint: primary.name });
  answers[paths.endpoint] = () => json(primary);
  const settings = (await connect()).value;
  answers[paths.credential] = () => failure(404);
  handle.invalidate(settings?.password ?? "");
  expect((await connect()).error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND" });
  await clock.advance(60_000);
  expect((await connect()).error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND" });
  expect(calls(paths.endpoint)).toBe(1);
});

describe("a project", () => {
  test("is reached at its default branch, by two calls", async () => {
    const { connect, asked, mintedFor } = setUp({ project: "shop" });
    expect((await connect()).value?.host).toBe(databaseHost);
    expect(asked()).toEqual([paths.branches, paths.endpoints, paths.credential]);
    expect(mintedFor()).toEqual([{ endpoint: primary.name }]);
  });

  test("has its default branch on a later page too", async () => {
    const { connect, answers, calls } = setUp({ project: "projects/shop" });
    const others = Array.from({ length: 5 }, (_, index) => branchOf(`${shop}/branches/b${index}`));
    answers[paths.branches] = paged("branches", [...others, branchOf(production, true)], 2);
    expect((await connect()).value?.host).toBe(databaseHost);
    expect(calls(paths.branches)).toBe(3);
  });

  test("with a list without an end is given up after ten pages", async () => {
    const { connect, answers, calls } = setUp({ project: "shop" });
    answers[paths.branches] = () => json({ branches: [], next_page_token: "again" });
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [
        { option: "endpoint", message: `is needed, because there are more than 10 pages of branches of ${shop}` },
      ],
    });
    expect(calls(paths.branches)).toBe(10);
  });

  test.each([
    [
      "no default branch",
      [branchOf(`${shop}/branches/dev`), branchOf(`${shop}/branches/test`)],
      `is needed, because ${shop} has no default branch: choose one of ${shop}/branches/dev, ${shop}/branches/test`,
    ],
    [
      "several default branches",
      [branchOf(production, true), branchOf(`${shop}/branches/test`, true)],
      `is needed, because ${shop} has several default branches: choose one of ${production}, ${shop}/branches/test`,
    ],
    ["no branch", [], `is needed, because ${shop} has no default branch: there is none to choose`],
  ])("with %s is an error that lists the choices", async (_name, branches, message) => {
    const { connect, answers } = setUp({ project: "shop" });
    answers[paths.branches] = () => json({ branches });
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [{ option: "branch", variable: "LAKEBASE_BRANCH", message }],
    });
  });

  test("keeps the branch that it meant at first, also when another one becomes the default", async () => {
    const { answers, parts, handle, asked, clock } = setUp({ project: "shop" });
    const moved = `ep-cool-river-b1b2c3d4.${zone}`;
    answers[paths.branches] = () => json({ branches: [branchOf(production, true)] });
    await watch(handle.connection()).now();
    answers[paths.branches] = () => json({ branches: [branchOf(`${shop}/branches/dev`, true)] });
    answers[paths.endpoints] = () => json({ endpoints: [endpointOf(primary.name ?? "", "READ_WRITE", moved)] });
    const login = watch(
      logIn(handle, parts, { scope: parts.config.scope }, async ({ host }) => {
        if (host === databaseHost) throw Object.assign(new Error("gone"), { code: "ENOTFOUND" });
        return host;
      }),
    );
    await clock.advance(0);
    expect((await login.now()).value).toBe(moved);
    expect(asked()).toEqual([paths.branches, paths.endpoints, paths.credential, paths.endpoints]);
  });
});

describe("an endpoint", () => {
  test("that reads only is the host for reading only", async () => {
    const { connect, answers, asked } = setUp({ endpoint: `${production}/endpoints/replica` });
    const path = `/api/2.0/postgres/${production}/endpoints/replica`;
    answers[path] = () => json(replica);
    expect((await connect({ access: "read-only" })).value?.host).toBe(replicaHost);
    expect(asked()).toEqual([path, paths.credential]);
  });
});

describe("a host alone", () => {
  test.each<[string, LakebaseOptions, string]>([
    ["an instance", { host: instanceHost }, instanceHost],
    ["an instance, in capitals with a dot", { host: `${instanceHost.toUpperCase()}.` }, instanceHost],
    [
      "an instance, for reading only",
      { host: instanceHost.replace("instance-", "instance-ro-") },
      instanceHost.replace("instance-", "instance-ro-"),
    ],
    ["an instance, in the environment", { env: { PGHOST: instanceHost } }, instanceHost],
  ])("of %s is asked about by its uid, by one call", async (_name, options, expected) => {
    const { connect, asked, mintedFor, requests } = setUp(options);
    expect((await connect()).value?.host).toBe(expected);
    expect(asked()).toEqual([paths.instanceByUid, paths.instanceCredential]);
    expect(requests[0]?.url).toMatch(new RegExp(`\\?uid=${instanceUid}$`));
    expect(mintedFor()).toMatchObject([{ instance_names: ["shop-db"] }]);
    await connect();
    expect(asked()).toHaveLength(2);
  });

  test.each([404, 400])(
    "of no instance (HTTP %s) is an error that says where was looked, and the way out",
    async (status) => {
      const { connect, answers, calls } = setUp({ host: instanceHost });
      answers[paths.instanceByUid] = () => failure(status);
      expect((await connect()).error).toMatchObject({
        code: "ERR_LAKEBASE_NOT_FOUND",
        message: `${instanceHost} is no instance that this identity can see in ${workspaceHost}; is it in another workspace? If it is here, give its name with \`instance\` or LAKEBASE_INSTANCE_NAME, or name the endpoint with \`endpoint\` or LAKEBASE_ENDPOINT`,
      });
      expect(calls(paths.instanceCredential)).toBe(0);
    },
  );

  test("of an instance whose name is not told is an error that asks for it", async () => {
    const { connect, answers } = setUp({ host: instanceHost });
    answers[paths.instanceByUid] = () => json({ name: "", uid: instanceUid });
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_BAD_RESPONSE",
      message: expect.stringContaining("LAKEBASE_INSTANCE_NAME"),
    });
  });

  test("of an instance does not take a life of its token that instances do not have", async () => {
    const { connect } = setUp({ host: instanceHost, credential: { ttlSeconds: 600 } });
    expect((await connect()).error).toMatchObject({
      problems: [{ option: "credential.ttlSeconds", message: "cannot be chosen for an instance" }],
    });
  });

  test.each([
    ["its uid", { ...primary, status: { endpoint_type: "ENDPOINT_TYPE_READ_WRITE" } }],
    ["its host", { ...primary, uid: "another" }],
    [
      "its host for reading only",
      endpointOf(primary.name ?? "", "READ_WRITE", `ep-x-y-z.${zone}`, { read_only_host: databaseHost }),
    ],
  ])("of an endpoint is found by %s, by three calls", async (_name, endpoint) => {
    const { connect, answers, asked, mintedFor } = setUp({ host: databaseHost });
    answers[paths.endpoints] = () => json({ endpoints: [replica, endpoint] });
    expect((await connect()).value?.host).toBe(databaseHost);
    expect(asked()).toEqual([paths.projects, paths.branches, paths.endpoints, paths.credential]);
    expect(mintedFor()).toEqual([{ endpoint: primary.name }]);
    await connect();
    expect(asked()).toHaveLength(4);
  });

  test("that the endpoint's own name has with -ro is found by its uid", async () => {
    const host = databaseHost.replace(".database", "-ro.database");
    const { connect, mintedFor } = setUp({ host });
    expect((await connect()).value?.host).toBe(host);
    expect(mintedFor()).toEqual([{ endpoint: primary.name }]);
  });

  test("reaches the host for reading only, for a pool that wants it", async () => {
    const { connect } = setUp({ env: { PGHOST: databaseHost } });
    expect((await connect({ access: "read-only" })).value?.host).toBe(replicaHost);
  });

  /** `count` projects, each with a default branch and another one; the endpoint is on the one that is named. */
  function manyProjects(host: string, count: number, holder = "") {
    const set = setUp({ host });
    const projects = Array.from({ length: count }, (_, index) => `projects/p${index}`);
    set.answers[paths.projects] = paged(
      "projects",
      projects.map((name) => ({ name })),
      100,
    );
    for (const project of projects) {
      const [main, dev] = [`${project}/branches/main`, `${project}/branches/dev`];
      set.answers[`/api/2.0/postgres/${project}/branches`] = () =>
        json({ branches: [branchOf(dev), branchOf(main, true)] });
      for (const branch of [main, dev]) {
        const here = branch === holder ? [endpointOf(`${branch}/endpoints/primary`, "READ_WRITE", host)] : [];
        set.answers[`/api/2.0/postgres/${branch}/endpoints`] = () => json({ endpoints: here });
      }
    }
    return set;
  }

  test("is found among many projects, and the search ends there", async () => {
    const { connect, mintedFor, requests } = manyProjects(databaseHost, 50, "projects/p3/branches/main");
    expect((await connect()).value?.host).toBe(databaseHost);
    expect(mintedFor()).toEqual([{ endpoint: "projects/p3/branches/main/endpoints/primary" }]);
    expect(requests.length).toBeLessThan(25);
  });

  test("is found on a branch that is not the default, after all default branches", async () => {
    const { connect, asked } = manyProjects(databaseHost, 3, "projects/p1/branches/dev");
    expect((await connect()).value?.host).toBe(databaseHost);
    const places = asked().map((path) => path.replace(/^.*branches\/(\w+)\/endpoints$/, "$1"));
    expect(places.lastIndexOf("main")).toBeLessThan(places.indexOf("dev"));
  });

  test("of no endpoint is an error that says where was looked, and is not searched for again for a minute", async () => {
    const { connect, requests, clock } = manyProjects(databaseHost, 2);
    const message = `${databaseHost} is of no endpoint that this identity can see in ${workspaceHost} (2 projects); is it in another workspace? If it is here, name the endpoint with \`endpoint\` or LAKEBASE_ENDPOINT`;
    expect((await connect()).error).toMatchObject({ code: "ERR_LAKEBASE_NOT_FOUND", message });
    const calls = requests.length;
    expect(calls).toBe(7);
    await clock.advance(30_000);
    expect((await connect()).error).toMatchObject({ message });
    expect(requests).toHaveLength(calls);
    await clock.advance(31_000);
    await connect();
    expect(requests).toHaveLength(2 * calls);
  });

  test("is given up after two hundred calls", async () => {
    const { connect, requests } = manyProjects(databaseHost, 150);
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [
        {
          option: "endpoint",
          variable: "LAKEBASE_ENDPOINT",
          message: `is needed, because ${databaseHost} was not found in ${workspaceHost} within ${maxSearchCalls} calls`,
        },
      ],
    });
    expect(requests).toHaveLength(maxSearchCalls);
  });

  test("never has more than six calls at a time", async () => {
    const { connect, answers } = manyProjects(databaseHost, 20);
    let [open, most] = [0, 0];
    for (const [path, answer] of Object.entries(answers)) {
      answers[path] = async (request) => {
        open += 1;
        most = Math.max(most, open);
        await new Promise((resolve) => setImmediate(resolve));
        open -= 1;
        return answer(request);
      };
    }
    await connect();
    expect(most).toBe(6);
  });

  test("that may not be searched for is an error that names LAKEBASE_ENDPOINT", async () => {
    const { connect, answers } = setUp({ host: databaseHost });
    answers[paths.projects] = () => failure(403);
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_PERMISSION_DENIED",
      message: expect.stringMatching(
        /^look-up of the projects.*HTTP 403.*; or name the endpoint with `endpoint` or LAKEBASE_ENDPOINT$/,
      ),
    });
  });

  test("is found beside projects that are closed or gone", async () => {
    const { connect, answers } = manyProjects(databaseHost, 4, "projects/p3/branches/main");
    answers["/api/2.0/postgres/projects/p0/branches"] = () => failure(403);
    answers["/api/2.0/postgres/projects/p1/branches"] = () => failure(404);
    answers["/api/2.0/postgres/projects/p2/branches/main/endpoints"] = () => failure(403);
    expect((await connect()).value?.host).toBe(databaseHost);
  });

  test("that may be in a project that is closed says so", async () => {
    const { connect, answers } = manyProjects(databaseHost, 2);
    answers["/api/2.0/postgres/projects/p0/branches"] = () => failure(403);
    expect((await connect()).error).toMatchObject({
      code: "ERR_LAKEBASE_PERMISSION_DENIED",
      message: expect.stringMatching(/\(2 projects, 1 lists refused\).*LAKEBASE_ENDPOINT$/),
    });
  });

  test("goes on with a search where a failure has ended it, and does not begin anew", async () => {
    const { connect, answers, calls, clock, handle } = manyProjects(databaseHost, 2, "projects/p1/branches/main");
    const path = "/api/2.0/postgres/projects/p1/branches/main/endpoints";
    const good = answers[path] ?? silence;
    answers[path] = () => failure(503);
    const login = watch(handle.connection());
    await clock.advance(0);
    answers[path] = good;
    await clock.advance(5000);
    expect((await login.now()).value?.host).toBe(databaseHost);
    expect(calls(paths.projects)).toBe(1);
    expect(calls(path)).toBe(2);
    expect((await connect()).value?.host).toBe(databaseHost);
  });

  test.each([["../../evil"], ["projects/p/branches/main?x="], [""], [undefined]])(
    "does not follow a list that names %j",
    async (name) => {
      const { connect, answers, requests } = setUp({ host: databaseHost });
      answers[paths.projects] = () => json({ projects: [{ name }] });
      expect((await connect()).error).toMatchObject({ code: "ERR_LAKEBASE_BAD_RESPONSE" });
      expect(requests).toHaveLength(1);
    },
  );

  test.each([[{}], [{ projects: null }], [{ projects: [null, 5, "x"] }]])(
    "takes %j for no projects",
    async (answer) => {
      const { connect, answers } = setUp({ host: databaseHost });
      answers[paths.projects] = () => json(answer);
      expect((await connect()).error).toMatchObject({ message: expect.stringContaining("(0 projects)") });
    },
  );
});

describe("a host that is gone", () => {
  const moved = `ep-new-place-a1b2c3d4.${zone}`;
  const gone = (code = "ENOTFOUND") => Object.assign(new Error(`getaddrinfo ${code}`), { code });

  function loggingIn(options: LakebaseOptions = { endpoint: primary.name ?? "" }, error: () => Error = gone) {
    const set = setUp(options);
    const { handle, parts, answers } = set;
    answers[paths.endpoint] = () => json(primary);
    const dialled: string[] = [];
    const dead = new Set<string>();
    const start = () =>
      watch(
        logIn(handle, parts, { scope: parts.config.scope }, async ({ host }) => {
          dialled.push(host);
          if (dead.has(host)) throw error();
          return host;
        }),
      );
    const move = () => {
      dead.add(databaseHost);
      answers[paths.endpoint] = () => json(endpointOf(primary.name ?? "", "READ_WRITE", moved));
    };
    return { ...set, dialled, dead, start, move };
  }

  test.each(["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ETIMEDOUT"])(
    "by %s is asked about, and the same login goes to the new one",
    async (code) => {
      const { start, move, dialled, calls, clock } = loggingIn(undefined, () => gone(code));
      expect((await start().now()).value).toBe(databaseHost);
      move();
      const login = start();
      await clock.advance(2000);
      expect((await login.now()).value).toBe(moved);
      expect(dialled).toEqual([databaseHost, databaseHost, moved]);
      expect(calls(paths.endpoint)).toBe(2);
      expect(calls(paths.credential)).toBe(1);
    },
  );

  test("by the proxy's word is asked about too", async () => {
    const text = "Control plane request failed: endpoint cannot be found";
    const { start, move } = loggingIn(undefined, () => Object.assign(new Error(text), { code: "XX000" }));
    await start().now();
    move();
    expect((await start().now()).value).toBe(moved);
  });

  test("is asked about by all logins together, once in 15 seconds", async () => {
    const { start, dead, calls, clock } = loggingIn();
    await start().now();
    dead.add(databaseHost);
    const storm = async () => {
      const logins = Array.from({ length: 20 }, start);
      for (const login of logins) expect((await login.now()).error).toMatchObject({ code: "ENOTFOUND" });
    };
    await storm();
    expect(calls(paths.endpoint)).toBe(2);
    await storm();
    expect(calls(paths.endpoint)).toBe(2);
    await clock.advance(15_000);
    await storm();
    expect(calls(paths.endpoint)).toBe(3);
  });

  test("is kept while the workspace does not answer, and the login is told the first error", async () => {
    const { start, dead, answers, calls, clock } = loggingIn();
    await start().now();
    dead.add(databaseHost);
    answers[paths.endpoint] = silence;
    const login = start();
    await clock.advance(4999);
    expect((await login.now()).settled).toBe(false);
    await clock.advance(1);
    expect((await login.now()).error).toMatchObject({ code: "ENOTFOUND" });
    dead.clear();
    expect((await start().now()).value).toBe(databaseHost);
    expect(calls(paths.endpoint)).toBe(2);
  });

  test.each([403, 404, 500])("is kept when the workspace answers %s", async (status) => {
    const { start, dead, answers } = loggingIn();
    await start().now();
    dead.add(databaseHost);
    answers[paths.endpoint] = () => failure(status);
    expect((await start().now()).error).toMatchObject({ code: "ENOTFOUND" });
    dead.clear();
    expect((await start().now()).value).toBe(databaseHost);
  });

  test("is kept when the endpoint has no host for a moment", async () => {
    const { start, dead, answers } = loggingIn();
    await start().now();
    dead.add(databaseHost);
    answers[paths.endpoint] = () => json(endpointOf(primary.name ?? "", "READ_WRITE"));
    expect((await start().now()).error).toMatchObject({ code: "ENOTFOUND" });
    dead.clear();
    expect((await start().now()).value).toBe(databaseHost);
  });

  test("is kept for those who only read when the branch has no read-only endpoint for a moment", async () => {
    const { start, dead, answers } = loggingIn({ endpoint: primary.name ?? "", access: "read-only" });
    await start().now();
    dead.add(replicaHost);
    answers[paths.endpoints] = () => json({ endpoints: [primary] });
    expect((await start().now()).error).toMatchObject({ code: "ENOTFOUND" });
    dead.clear();
    expect((await start().now()).value).toBe(replicaHost);
  });

  test("is told as an event, with the new one", async () => {
    const { start, move, events } = loggingIn();
    await start().now();
    move();
    await start().now();
    expect(events).toEqual([expect.anything(), { type: "hostMoved", from: databaseHost, to: moved }]);
  });

  test("is asked about for those who only read, and kept while the workspace does not answer", async () => {
    const { start, dead, answers, calls, clock } = loggingIn({ endpoint: primary.name ?? "", access: "read-only" });
    expect((await start().now()).value).toBe(replicaHost);
    expect([calls(paths.endpoint), calls(paths.endpoints)]).toEqual([1, 1]);
    dead.add(replicaHost);
    const good = [answers[paths.endpoint] ?? silence, answers[paths.endpoints] ?? silence] as const;
    answers[paths.endpoint] = () => failure(503);
    answers[paths.endpoints] = () => failure(503);
    expect((await start().now()).error).toMatchObject({ code: "ENOTFOUND" });
    dead.clear();
    expect((await start().now()).value).toBe(replicaHost);
    dead.add(replicaHost);
    [answers[paths.endpoint]] = good;
    answers[paths.endpoints] = () => json({ endpoints: [primary, endpointOf(replica.name ?? "", "READ_ONLY", moved)] });
    await clock.advance(15_000);
    expect((await start().now()).value).toBe(moved);
  });

  test("is never replaced where it was given", async () => {
    const { start, move, dialled, calls } = loggingIn({ endpoint: primary.name ?? "", host: databaseHost });
    await start().now();
    move();
    expect((await start().now()).error).toMatchObject({ code: "ENOTFOUND" });
    expect(dialled).toEqual([databaseHost, databaseHost]);
    expect(calls(paths.endpoint)).toBe(0);
  });

  test("is not asked about where another address than its own did not answer", async () => {
    const { start, move, calls } = loggingIn({ endpoint: primary.name ?? "", hostAddress: "127.0.0.1" });
    await start().now();
    move();
    expect((await start().now()).error).toMatchObject({ code: "ENOTFOUND" });
    expect(calls(paths.endpoint)).toBe(1);
  });

  test("is not asked about when the database itself refused", async () => {
    const { start, move, calls } = loggingIn(undefined, () =>
      Object.assign(new Error("no such db"), { code: "3D000" }),
    );
    await start().now();
    move();
    expect((await start().now()).error).toMatchObject({ code: "3D000" });
    expect(calls(paths.endpoint)).toBe(1);
  });

  test("is asked about no more when the handle is closed meanwhile", async () => {
    const { start, dead, answers, handle } = loggingIn();
    await start().now();
    dead.add(databaseHost);
    answers[paths.endpoint] = silence;
    const login = start();
    await login.now();
    handle.close();
    expect((await login.now()).error).toBeInstanceOf(Error);
  });
});

test("a user whose login was refused is asked about again: its name may have changed, and its role with it", async () => {
  const { handle, parts, answers, calls, clock } = setUp({ branch: production, user: undefined });
  const start = () =>
    watch(
      logIn(handle, parts, { scope: parts.config.scope }, async ({ user }) => {
        if (user === "eve@acme.example") return user;
        throw Object.assign(new Error("no role"), { code: "28P01" });
      }),
    );
  expect((await start().now()).error).toMatchObject({ code: "28P01" });
  answers[paths.me] = () => json({ userName: "eve@acme.example" });
  expect((await start().now()).error).toMatchObject({ code: "ERR_LAKEBASE_LOGIN_REJECTED" });
  expect(calls(paths.me)).toBe(1);
  await clock.advance(15_000);
  expect((await start().now()).value).toBe("eve@acme.example");
  expect((await start().now()).value).toBe("eve@acme.example");
  expect(calls(paths.me)).toBe(2);
});

test("another person does not follow in a handle that has sessions of the first", async () => {
  const { handle, parts, answers, clock } = setUp({ branch: production, user: undefined });
  let inPostgres = "ada@acme.example";
  const start = () =>
    watch(
      logIn(handle, parts, { scope: parts.config.scope }, async ({ user }, _within, accepted) => {
        if (user === inPostgres) {
          accepted();
          return user;
        }
        throw Object.assign(new Error("not yours"), { code: "28P01" });
      }),
    );
  expect((await start().now()).value).toBe("ada@acme.example");
  // Somebody else has signed in where this handle's tokens come from.
  inPostgres = "eve@acme.example";
  answers[paths.me] = () => json({ userName: "eve@acme.example" });
  expect((await start().now()).error).toMatchObject({ code: "28P01" });
  await clock.advance(15_000);
  expect((await start().now()).error).toMatchObject({
    code: "ERR_LAKEBASE_UNAUTHENTICATED",
    message: expect.stringMatching(/eve@acme.example by now.*sessions of ada@acme.example/),
  });
  inPostgres = "ada@acme.example";
  answers[paths.me] = () => json({ userName: "ada@acme.example" });
  await clock.advance(15_000);
  expect((await start().now()).value).toBe("ada@acme.example");
});

test.each([
  [gone("ECONNRESET"), true, false],
  [gone("57P03"), true, false],
  [gone("ENOTFOUND"), true, true],
  [gone("ENOTFOUND"), false, false],
  [Object.assign(new Error("x", { cause: gone("ECONNREFUSED") })), true, true],
  [new Error("Couldn't connect to compute node"), false, true],
  [new Error("Control plane request failed: endpoint is disabled"), false, true],
  [undefined, true, false],
  [new LakebaseError("ERR_LAKEBASE_TIMEOUT", "slow"), true, false],
])("whether %s says that the host is gone, at its own address or not: %s", (error, dialsHost, expected) => {
  expect(isHostGone(error, dialsHost)).toBe(expected);
});

function gone(code: string): Error {
  return Object.assign(new Error(code), { code });
}
