import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatApplicationName, type PartnerApplicationName, parseApplicationName } from "./application-name.ts";

describe("formatApplicationName", () => {
  test.each([
    [{ isv: "acme" }, "acme+lakebase"],
    [{ isv: "acme", product: "etl" }, "acme_etl"],
    [{ isv: "acme", product: "etl", version: "3.5" }, "acme_etl/3.5"],
    ["acme+lakebase", "acme+lakebase"],
    ["my app (v2)", "my app (v2)"],
    ["a".repeat(63), "a".repeat(63)],
  ])("makes %j into %s", (name, expected) => {
    expect(formatApplicationName(name)).toBe(expected);
  });

  test.each([
    ["an empty name", ""],
    ["spaces only", "   "],
    ["a space at the end", "acme "],
    ["64 bytes", "a".repeat(64)],
    ["a NUL", "acme\0user\0postgres"],
    ["a line break", "acme\nlakebase"],
    ["an accent", "acmé"],
    ["an emoji", "acme🚀"],
    ["DEL", "acme\x7f"],
    ["no isv", {}],
    ["an empty isv", { isv: "" }],
    ["a number", 5],
    ["null", null],
    ["a list", ["acme"]],
    ["a slash in a part", { isv: "ac/me" }],
    ["a space in a part", { isv: "acme", product: "my etl" }],
    ["a version without a product", { isv: "acme", version: "1" }],
    ["a part that is unknown", { isv: "acme", verison: "1" }],
    ["parts that are too long together", { isv: "a".repeat(40), product: "b".repeat(40) }],
    ["a number as version", { isv: "acme", product: "etl", version: 3.5 }],
  ])("refuses %s", (_name, name) => {
    expect(() => formatApplicationName(name as string)).toThrow(TypeError);
  });

  test("answers 1 to 63 bytes of printable ASCII, or a problem, for whatever it is given", () => {
    const part = fc.oneof(fc.string(), fc.stringMatching(/^[\w.+-]{1,40}$/), fc.constant(undefined), fc.anything());
    const parts = fc.record({ isv: part, product: part, version: part }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string(), parts, fc.anything()), (name) => {
        const parsed = parseApplicationName(name as string | PartnerApplicationName);
        if ("problem" in parsed) {
          expect(parsed.problem).not.toBe("");
          return;
        }
        expect(parsed.value).toMatch(/^[\x20-\x7e]{1,63}$/);
        expect(Buffer.byteLength(parsed.value)).toBeLessThanOrEqual(63);
      }),
      { numRuns: 500 },
    );
  });

  test("keeps the version whole: a name is refused, not cut", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9.+-]{1,30}$/);
    fc.assert(
      fc.property(word, word, word, (isv, product, version) => {
        const parsed = parseApplicationName({ isv, product, version });
        const whole = `${isv}_${product}/${version}`;
        expect(parsed).toEqual(whole.length <= 63 ? { value: whole } : { problem: expect.stringContaining("63") });
      }),
    );
  });
});
