import { LakebaseError } from "@x/lakebase-core";
import { expect, test } from "vitest";
import { describeFailure, Failure } from "./failure.ts";

test("names flags and variables where the library names its options", () => {
  const problems = [
    { option: "hostAddress", variable: "PGHOSTADDR", message: "is wrong" },
    { option: "auth", variable: "DATABRICKS_TOKEN", message: "is needed" },
    { option: "ssl", message: "is odd" },
  ];
  expect(describeFailure(new LakebaseError("ERR_LAKEBASE_CONFIG", "…", { problems }))).toEqual({
    exitCode: 2,
    text: `3 problems:
  --host-address or PGHOSTADDR: is wrong
  DATABRICKS_TOKEN: is needed
  ssl: is odd
(ERR_LAKEBASE_CONFIG) \`npx @x/lakebase-cli --help\` lists the options and variables.`,
  });
});

test("tells the code of every other error of the library", () => {
  expect(describeFailure(new LakebaseError("ERR_LAKEBASE_TLS", "refused"))).toEqual({
    exitCode: 6,
    text: "refused\n(ERR_LAKEBASE_TLS)",
  });
});

test("has an end for what nobody expects, without a stack", () => {
  expect(describeFailure(new RangeError("boom"))).toEqual({
    exitCode: 1,
    text: "an error that is not expected: boom",
  });
  expect(describeFailure(new Failure(127, "there is no command"))).toEqual({
    exitCode: 127,
    text: "there is no command",
  });
});
