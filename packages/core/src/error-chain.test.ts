import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorChain, errorCode, findLakebaseError, isLakebaseError } from "./error-chain.ts";
import { LakebaseError } from "./errors.ts";

const pgError = Object.assign(new Error("password authentication failed"), { code: "28P01" });
const ours = new LakebaseError("ERR_LAKEBASE_TIMEOUT", "too slow", { retryable: true, cause: pgError });

describe("isLakebaseError", () => {
  test("knows an error of another copy of the library by its code", () => {
    expect(isLakebaseError(Object.assign(new Error(), { code: "ERR_LAKEBASE_CLOSED" }))).toBe(true);
  });

  test("tells codes apart", () => {
    expect(isLakebaseError(ours, "ERR_LAKEBASE_TIMEOUT")).toBe(true);
    expect(isLakebaseError(ours, "ERR_LAKEBASE_CLOSED")).toBe(false);
  });

  test.each([[undefined], [null], ["ERR_LAKEBASE_CLOSED"], [5], [{}], [{ code: 5 }], [pgError]])(
    "denies %s",
    (error) => {
      expect(isLakebaseError(error)).toBe(false);
      expect(findLakebaseError(error)).toBeUndefined();
    },
  );
});

describe("errorChain", () => {
  test.each([
    ["cause", (inner: object) => new Error("outer", { cause: inner })],
    ["parent", (inner: object) => Object.assign(new Error("outer"), { parent: inner })],
    ["original", (inner: object) => Object.assign(new Error("outer"), { original: inner })],
    ["driverError", (inner: object) => Object.assign(new Error("outer"), { driverError: inner })],
    [
      "meta.driverAdapterError",
      (inner: object) => Object.assign(new Error("outer"), { meta: { driverAdapterError: inner } }),
    ],
    ["errors", (inner: object) => new AggregateError([new Error("other"), inner])],
  ])("finds what is wrapped as `%s`, at any depth", (_name, wrap) => {
    const wrapped = wrap(wrap(wrap(ours)));
    expect(findLakebaseError(wrapped)).toBe(ours);
    expect(errorChain(wrapped)).toContain(pgError);
  });

  test("puts the outermost first", () => {
    const outer = new Error("outer", { cause: ours });
    expect(errorChain(outer)).toEqual([outer, ours, pgError]);
    expect(errorCode(outer)).toBe("ERR_LAKEBASE_TIMEOUT");
  });

  test("ends in a circle", () => {
    const one: Error & { parent?: unknown } = new Error("one");
    const other = Object.assign(new Error("other", { cause: one }), { original: one });
    one.parent = other;
    one.cause = one;
    expect(errorChain(one)).toEqual([one, other]);
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["a string", "text"],
    ["a number", 5],
  ])("is empty for %s", (_name, thrown) => {
    expect(errorChain(thrown)).toEqual([]);
    expect(errorCode(thrown)).toBeUndefined();
  });

  test("is bounded however much an AggregateError holds", () => {
    const many = { errors: Array.from({ length: 300_000 }, (_, index) => ({ index })) };
    expect(errorChain(many).length).toBeLessThan(100);
  });

  test("ends for any graph of errors", () => {
    const links = fc.array(
      fc.tuple(fc.nat(20), fc.constantFrom("cause", "parent", "original", "driverError"), fc.nat(20)),
    );
    fc.assert(
      fc.property(links, (edges) => {
        const nodes = Array.from({ length: 21 }, (_, index): Record<string, unknown> => ({ index }));
        for (const [from, name, to] of edges) Object.assign(nodes[from] ?? {}, { [name]: nodes[to] });
        const chain = errorChain(nodes[0]);
        expect(new Set(chain).size).toBe(chain.length);
      }),
    );
  });
});
