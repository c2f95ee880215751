import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConnectionString, sslModeProblem } from "./connection-string.ts";

const host = "ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com";

describe("parseConnectionString", () => {
  test.each([
    [`postgresql://${host}/orders`, { host, database: "orders" }],
    [`postgres://${host}`, { host }],
    [`POSTGRESQL://${host}/`, { host }],
    [`postgresql://${host}:5432/orders`, { host, port: "5432", database: "orders" }],
    [`postgresql://${host}:443/orders`, { host, port: "443", database: "orders" }],
    [`postgresql://${host.toUpperCase()}/orders`, { host, database: "orders" }],
    [`postgresql://ada%40acme.example@${host}/orders`, { user: "ada@acme.example", host, database: "orders" }],
    [`postgresql://app:p%40ss%3Aw%2Frd@${host}`, { user: "app", password: "p@ss:w/rd", host }],
    [`postgresql://app@${host}/orders?sslmode=require`, { user: "app", host, database: "orders" }],
    [
      `postgresql://app@${host}?application_name=acme+lakebase`,
      { user: "app", host, applicationName: "acme+lakebase" },
    ],
    [`postgresql://app@${host}?application_name=a%20b`, { user: "app", host, applicationName: "a b" }],
    [`postgresql://${host}?hostaddr=127.0.0.1`, { host, hostAddress: "127.0.0.1" }],
    ["postgresql://[::1]:5433/orders", { host: "::1", port: "5433", database: "orders" }],
  ])("reads %s", (text, fields) => {
    expect(parseConnectionString(text)).toEqual({ fields, problems: [] });
  });

  test.each([
    ["another scheme", "mysql://db.example/x", "postgresql://"],
    ["words", "host=db.example user=app", "postgresql://"],
    ["nothing", "", "postgresql://"],
    ["several hosts", "postgresql://a.example,b.example/x", "several hosts"],
    ["several hosts with ports", "postgresql://app@a.example:5432,b.example:5433/x", "several hosts"],
    ["a host in the query", "postgresql://a.example/x?host=b.example", "not read, host"],
    ["a user in the query", "postgresql://ada@a.example/x?user=bob", "not read, user"],
    ["a password in the query", "postgresql://ada@a.example/x?password=pw", "not read, password"],
    ["two names", "postgresql://a.example/x?application_name=a&application_name=b", "two"],
    ["two addresses", "postgresql://a.example/x?hostaddr=1.1.1.1&hostaddr=2.2.2.2", "two"],
    ["a port that is none", "postgresql://a.example:port/x", "not a valid URL"],
    ["an at sign that is not encoded", "postgresql://ada:pa/ss@a.example/x", "not a valid URL"],
    ["a broken encoding", "postgresql://ada%zz@a.example/x", "percent-encoding"],
    ["a parameter that is not read", "postgresql://a.example/x?options=-csearch_path%3Dx", "not read, options"],
    ["a certificate", "postgresql://a.example/x?sslrootcert=ca.pem", "not read, sslrootcert"],
    ["a fragment", "postgresql://a.example/x#y", "#"],
    ["a mode that is not verified", "postgresql://a.example/x?sslmode=no-verify", "refused"],
    [
      "a mode that is weak, and again a good one",
      "postgresql://a.example/x?sslmode=disable&sslmode=verify-full",
      "refused",
    ],
    ["channel binding", "postgresql://a.example/x?channel_binding=require", "channel_binding"],
  ])("refuses %s", (_name, text, hint) => {
    const { problems } = parseConnectionString(text);
    expect(problems).toEqual([{ option: "connectionString", message: expect.stringContaining(hint) }]);
  });

  test("does not take a database for a host where the host is left out", () => {
    const { fields, problems } = parseConnectionString("postgresql:///orders");
    expect(fields.host).not.toBe("orders");
    expect(problems.length + (fields.database === "orders" ? 1 : 0)).toBeGreaterThan(0);
  });

  test("reads no host where the authority holds a backslash, as other parsers might", () => {
    const { fields } = parseConnectionString(`postgresql://evil.example\\@${host}/x`);
    expect(fields.host).not.toBe(host);
  });

  test("shows no control character of a parameter's name", () => {
    const { problems } = parseConnectionString("postgresql://a.example/x?a%0d%0ab=1");
    expect(problems[0]?.message).not.toMatch(/[\r\n]/);
  });

  const text = fc.string({ minLength: 1, unit: "grapheme" }).filter((value) => !/\p{Surrogate}/u.test(value));

  test("gives back whatever user, password and database were encoded", () => {
    fc.assert(
      // A database called `.` or `..` is a step in a path to every parser of URLs.
      fc.property(
        text,
        text,
        text.filter((name) => !/^\.\.?$/.test(name)),
        (user, password, database) => {
          const [one, two, three] = [user, password, database].map(encodeURIComponent);
          expect(parseConnectionString(`postgresql://${one}:${two}@${host}:5433/${three}`)).toEqual({
            fields: { host, port: "5433", user, password, database },
            problems: [],
          });
        },
      ),
      {
        numRuns: 500,
        examples: [
          ["a+b", "c+d", "e+f"],
          ["a", "?#", "x/y"],
          ["%", "%2", "%41"],
        ],
      },
    );
  });

  test("gives back whatever name was encoded in the query", () => {
    fc.assert(
      fc.property(text, (applicationName) => {
        expect(
          parseConnectionString(`postgresql://${host}?application_name=${encodeURIComponent(applicationName)}`),
        ).toEqual({ fields: { host, applicationName }, problems: [] });
      }),
      { numRuns: 500 },
    );
  });

  test("answers fields or problems for whatever it is given, and never throws or quotes a password", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom("@", ":", "/", "?", "#", "&", "=", "%", "[", "]", "\\", "host="),
    );
    const near = fc.array(piece, { maxLength: 12 }).map((pieces) => `postgresql://${pieces.join("")}`);
    fc.assert(
      fc.property(
        fc.oneof(
          near,
          fc.string(),
          fc.webUrl().map((url) => url.replace(/^https?/, "postgres")),
        ),
        (written) => {
          const { fields, problems } = parseConnectionString(written);
          for (const value of Object.values(fields)) expect(typeof value === "string" && value !== "").toBe(true);
          const { password } = fields;
          if (password && password.length > 6) {
            for (const { message } of problems) expect(message).not.toContain(password);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("sslModeProblem", () => {
  test.each(["require", "verify-ca", "verify-full"])("takes %s as verified", (mode) => {
    expect(sslModeProblem(mode)).toBeUndefined();
  });

  test.each(["disable", "allow", "prefer", "no-verify", "", "REQUIRE", "verify-full\n", "constructor"])(
    "refuses %j",
    (mode) => {
      expect(sslModeProblem(mode)).toContain("verify-full");
    },
  );
});
