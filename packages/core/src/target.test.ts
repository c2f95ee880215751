import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEndpoint, parseInstance, targetLabel } from "./target.ts";

const endpoint = "projects/shop/branches/production/endpoints/primary";

describe("parseEndpoint", () => {
  test.each([[endpoint], [` ${endpoint}\n`], [`/${endpoint}/`]])("reads %j", (text) => {
    expect(parseEndpoint(text)).toEqual({ value: { kind: "endpoint", endpoint } });
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
    "Projects/shop/branches/production/endpoints/primary",
    "https://acme.cloud.databricks.com/projects/shop/branches/production/endpoints/primary",
  ])("refuses %j and shows the form", (text) => {
    expect(parseEndpoint(text)).toEqual({ problem: expect.stringContaining("projects/<project>") });
  });

  test.each([["ep-cool-river-a1b2c3d4"], ["projects/shop/branches/production/endpoints/ep-cool-river-a1b2c3d4"]])(
    "says that %s is the uid where the id belongs",
    (text) => {
      expect(parseEndpoint(text)).toEqual({ problem: expect.stringMatching(/uid.*primary/) });
    },
  );

  test.each(["ep-prod-read-1", "ep-east", "ep-1"])("takes %s as an id that somebody chose", (id) => {
    expect(parseEndpoint(`projects/shop/branches/production/endpoints/${id}`)).toHaveProperty("value");
  });

  test("answers a name that is safe in a path, or a problem, for whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((id) => `projects/${id}/branches/b/endpoints/e`),
        ),
        (text) => {
          const parsed = parseEndpoint(text);
          if ("value" in parsed) expect(targetLabel(parsed.value)).toMatch(/^[a-z0-9-]+(\/[a-z0-9-]+){5}$/);
        },
      ),
    );
  });
});

describe("parseInstance", () => {
  test.each(["shop-db", "a", "Shop_DB-1", " shop-db "])("reads %j", (text) => {
    expect(parseInstance(text)).toEqual({ value: { kind: "instance", instance: text.trim() } });
  });

  test.each([
    ["an endpoint", endpoint, "`endpoint`"],
    ["the name of a host", "instance-3f2a1b4c-0d1e-4f5a-8b6c-7d8e9f0a1b2c", "host"],
    ["a host", "shop.database.cloud.databricks.com", "host"],
    ["a path", "../shop", "host"],
    ["a slash", "a/b", "letters"],
    ["a space", "a b", "letters"],
    ["a hyphen at its end", "shop-", "letters"],
    ["too many letters", "a".repeat(64), "letters"],
    ["nothing", "", "letters"],
  ])("refuses %s and says what belongs there", (_name, text, hint) => {
    expect(parseInstance(text)).toEqual({ problem: expect.stringContaining(hint) });
  });
});

test("a target is named in messages as its kind asks for", () => {
  expect(targetLabel({ kind: "endpoint", endpoint })).toBe(endpoint);
  expect(targetLabel({ kind: "instance", instance: "shop" })).toBe("instance shop");
  expect(targetLabel({ kind: "host", host: "db.example" })).toBe("host db.example");
  expect(targetLabel(undefined)).toBe("(no target)");
});
