import type { LakebaseErrorCode } from "@x/lakebase-core";
import { expect, test } from "vitest";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";

test("are all different", () => {
  expect(new Set(Object.values(exitCodes)).size).toBe(Object.values(exitCodes).length);
});

test("a code that a newer core may have is none of these", () => {
  expect(exitCodeOf("ERR_LAKEBASE_OF_TOMORROW" as LakebaseErrorCode)).toBe(exitCodes.unexpected);
});
