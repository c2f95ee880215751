import { format, inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configError, LakebaseError } from "./errors.ts";
import { requireSecret } from "./identity/required.ts";
import { createSecret, isSecret } from "./secret.ts";

const canary = "dapi-canary-6d1f";

describe("a secret", () => {
  const secret = createSecret(canary);

  test("gives its value to who asks by name", () => {
    expect(secret.reveal()).toBe(canary);
  });

  test.each<[string, (value: unknown) => unknown]>([
    ["String()", (value) => String(value)],
    ["a template", (value) => `${value}`],
    ["concatenation", (value) => "".concat(value as string)],
    ["join", (value) => [value].join()],
    ["JSON", (value) => JSON.stringify({ value, list: [value] })],
    ["inspect", (value) => inspect(value)],
    [
      "inspect of all that is hidden",
      (value) => inspect({ value }, { showHidden: true, depth: Infinity, getters: true }),
    ],
    [
      "inspect without custom functions",
      (value) => inspect(value, { customInspect: false, showHidden: true, depth: 9 }),
    ],
    ["format %s", (value) => format("%s", value)],
    ["format %o", (value) => format("%o %O %j %d", value, value, value, value)],
    ["keys", (value) => Object.entries(value as object).join()],
    ["own names", (value) => Reflect.ownKeys(value as object).map((key) => String(Reflect.get(value as object, key)))],
    ["a spread", (value) => inspect({ ...(value as object) }, { showHidden: true })],
    ["an error's message", (value) => inspect(new Error(`login with ${value} failed`))],
    ["an error's cause", (value) => inspect(new Error("x", { cause: value }), { showHidden: true, depth: Infinity })],
    ["an error's fields", (value) => inspect(Object.assign(new Error("x"), { value }), { depth: Infinity })],
    [
      "a LakebaseError",
      (value) => inspect(new LakebaseError("ERR_LAKEBASE_CONFIG", "x", { cause: value }), { showHidden: true }),
    ],
  ])("is not shown by %s", (_name, print) => {
    const printed = print(secret);
    const text = typeof printed === "string" ? printed : JSON.stringify(printed);
    expect(text).not.toContain(canary);
  });

  test("says that something is there", () => {
    expect(`${secret} ${JSON.stringify(secret)} ${inspect(secret)}`).toBe('[redacted] "[redacted]" [redacted]');
  });

  test("cannot be changed", () => {
    expect(Object.isFrozen(secret)).toBe(true);
    expect(Reflect.set(secret, "reveal", () => "other")).toBe(false);
  });

  test("is not shown whatever its value", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), (value) => {
        const shown = inspect({ a: createSecret(value) }, { showHidden: true, depth: Infinity });
        expect(shown).toBe("{ a: [redacted] }");
      }),
    );
  });
});

describe("isSecret", () => {
  test.each([[undefined], [null], [""], ["text"], [{}], [{ reveal: "text" }], [() => "text"]])("denies %j", (value) => {
    expect(isSecret(value)).toBe(false);
  });

  test("knows a secret of another copy of this library", () => {
    expect(isSecret({ reveal: () => canary })).toBe(true);
  });
});

describe("requireSecret", () => {
  test("takes a string without the spaces that copying leaves round it", () => {
    expect(requireSecret(` ${canary}\n`, "auth").reveal()).toBe(canary);
  });

  test.each([[undefined], [null], [""], ["  "], [5], [{}], [createSecret("")], [createSecret(" \n")]])(
    "refuses %s and never falls back",
    (value) => {
      expect(() => requireSecret(value, "auth: personalAccessToken")).toThrow(
        expect.objectContaining({
          code: "ERR_LAKEBASE_CONFIG",
          message: expect.stringContaining("personalAccessToken"),
        }),
      );
    },
  );
});

test("a configuration error shows the problem and not the value", () => {
  const error = configError([{ option: "password", message: "is an OAuth token" }]);
  expect(inspect(error, { showHidden: true, depth: Infinity })).not.toContain(canary);
});
