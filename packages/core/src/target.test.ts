import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseInstance, parseResource, resourceKinds, targetLabel } from "./target.ts";

const project = "projects/shop";
const branch = `${project}/branches/production`;
const endpoint = `${branch}/endpoints/primary`;
const names = { project, branch, endpoint };

describe("parseResource", () => {
  test.each(resourceKinds)("reads the name of a %s, with slashes round it", (kind) => {
    const name = names[kind];
    expect(parseResource(kind, name)).toEqual({ value: { kind, name } });
    expect(parseResource(kind, `/${name}/`)).toEqual({ value: { kind, name } });
  });

  test.each([
    ["project", "shop", "", project],
    ["branch", "production", `${project}/`, branch],
    ["endpoint", "primary", `${branch}/`, endpoint],
  ] as const)("reads the id of a %s in what it stands in", (kind, id, outer, name) => {
    expect(parseResource(kind, id, outer)).toEqual({ value: { kind, name } });
  });

  test.each([
    ["branch", "production", ""],
    ["endpoint", "primary", ""],
    ["endpoint", "primary", `${project}/`],
    ["endpoint", "production/endpoints/primary", `${project}/`],
  ] as const)("does not guess what a %s stands in", (kind, text, outer) => {
    expect(parseResource(kind, text, outer)).toEqual({ problem: expect.stringContaining("must be of the form") });
  });

  test.each([
    ["branch", branch, "projects/other/"],
    ["branch", "projects/shop2/branches/production", "projects/shop/"],
    ["endpoint", endpoint, "projects/shop/branches/prod/"],
    ["endpoint", endpoint, "projects/shop/branches/production2/"],
  ] as const)("refuses a %s of another place: %s", (kind, text, outer) => {
    expect(parseResource(kind, text, outer)).toEqual({ problem: `is not in ${outer}; remove one` });
  });

  test.each([
    "",
    "primary",
    "projects/shop",
    "projects/shop/branches/production",
    "projects//branches/production/endpoints/primary",
    "projects/shop/branches/production/endpoints/",
    "projects/shop/branches/production/endpoints/primary/x",
    "projects/shop/branches/production/endpoints/primary?x=1",
    "projects/../branches/production/endpoints/primary",
    "projects/shop/branches/production/endpoints/%2e%2e",
    "projects/shop/branches/production/endpoints/a b",
    "projects/shop/branches/production/endpoints/primary\n/x",
    "projects/shop/branches/production/endpoints/primary\n",
    "Projects/shop/branches/production/endpoints/primary",
    "x/projects/shop/branches/production/endpoints/primary",
    "https://acme.cloud.databricks.com/projects/shop/branches/production/endpoints/primary",
  ])("refuses %j as an endpoint and shows the form", (text) => {
    expect(parseResource("endpoint", text)).toEqual({
      problem: "must be of the form projects/<project>/branches/<branch>/endpoints/<endpoint>",
    });
  });

  test.each([
    ["project", "", "projects/<project>"],
    ["project", endpoint, "projects/<project>"],
    ["project", "My Shop", "projects/<project>"],
    ["project", `a${"b".repeat(63)}`, "projects/<project>"],
    ["branch", project, "projects/<project>/branches/<branch>"],
    ["branch", endpoint, "projects/<project>/branches/<branch>"],
    ["branch", "shop/production", "projects/<project>/branches/<branch>"],
  ] as const)("refuses a %s that is %j and shows the form", (kind, text, form) => {
    expect(parseResource(kind, text)).toEqual({ problem: `must be of the form ${form}` });
  });

  test.each(["ep-cool-river-a1b2c3d4", "projects/shop/branches/production/endpoints/ep-cool-river-a1b2c3d4"])(
    "says that %s is the uid where the id belongs",
    (text) => {
      expect(parseResource("endpoint", text, `${branch}/`)).toEqual({
        problem: expect.stringMatching(/projects\/<project>.*an id like "primary" and no uid$/),
      });
    },
  );

  test.each(["ep-prod-read-1", "ep-east", "ep-1"])("takes %s as an id that somebody chose", (id) => {
    expect(parseResource("endpoint", `${branch}/endpoints/${id}`)).toHaveProperty("value");
  });

  test("answers a name that is safe in a path and stands where it should, or a problem, for whatever it is given", () => {
    const place = fc.constantFrom("", `${project}/`, `${branch}/`);
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[a-z-]{0,5}(\/[a-z-]{0,9}){0,6}$/),
      fc.string().map((id) => `projects/${id}/branches/b/endpoints/e`),
    );
    fc.assert(
      fc.property(fc.constantFrom(...resourceKinds), text, place, (kind, text, outer) => {
        const parsed = parseResource(kind, text, outer);
        if ("problem" in parsed) return;
        const { name } = parsed.value;
        expect(name).toMatch(/^[a-z]+\/[a-z0-9-]+(\/[a-z]+\/[a-z0-9-]+){0,2}$/);
        expect(name.split("/")).toHaveLength(2 * resourceKinds.indexOf(kind) + 2);
        expect(name.startsWith(outer)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("parseInstance", () => {
  test.each(["shop-db", "a", "Shop_DB-1"])("reads %j", (name) => {
    expect(parseInstance(name)).toEqual({ value: { kind: "instance", name } });
  });

  test.each([
    ["an endpoint", endpoint],
    ["the name of a host", "instance-3f2a1b4c-0d1e-4f5a-8b6c-7d8e9f0a1b2c"],
    ["that of one that only reads", "instance-ro-3f2a1b4c-0d1e-4f5a-8b6c-7d8e9f0a1b2c"],
    ["a host", "shop.database.cloud.databricks.com"],
    ["a path", "../shop"],
    ["a slash", "a/b"],
    ["a space", "a b"],
    ["a line break", "shop\n"],
    ["a hyphen at its end", "shop-"],
    ["too many letters", "a".repeat(64)],
    ["nothing", ""],
  ])("refuses %s and says what belongs there", (_name, text) => {
    expect(parseInstance(text)).toEqual({
      problem: "must be a name of letters, digits and hyphens; others go to `endpoint` or `host`",
    });
  });
});

test("a target is named in messages as its kind asks for", () => {
  expect(targetLabel({ kind: "endpoint", name: endpoint })).toBe(endpoint);
  expect(targetLabel({ kind: "branch", name: branch })).toBe(branch);
  expect(targetLabel({ kind: "project", name: project })).toBe(project);
  expect(targetLabel({ kind: "instance", name: "shop" })).toBe("instance shop");
  expect(targetLabel({ kind: "host", name: "db.example" })).toBe("host db.example");
  expect(targetLabel(undefined)).toBe("(no target)");
});
