import { describe, expect, test } from "vitest";
import { authFromEnvironment } from "./environment.ts";

const id = "DATABRICKS_CLIENT_ID";
const secret = "DATABRICKS_CLIENT_SECRET";
const token = "DATABRICKS_TOKEN";
const type = "DATABRICKS_AUTH_TYPE";

function found(environment: Record<string, string>) {
  return authFromEnvironment((name) => environment[name]);
}

describe("the identity of the environment", () => {
  test.each<[string, Record<string, string>, object]>([
    ["a service principal", { [id]: "app-id", [secret]: "s" }, { kind: "client-credentials", user: "app-id" }],
    ["a personal access token", { [token]: "dapi01" }, { kind: "personal-access-token" }],
    [
      "the token, by choice",
      { [token]: "dapi01", [id]: "a", [secret]: "s", [type]: "pat" },
      { kind: "personal-access-token" },
    ],
    ["the principal, by choice", { [token]: "dapi01", [id]: "a", [secret]: "s", [type]: "oauth-m2m" }, { user: "a" }],
    ["a token beside half a pair", { [token]: "dapi01", [id]: "a" }, { kind: "personal-access-token" }],
  ])("is %s", async (_name, environment, auth) => {
    expect(await found(environment)).toMatchObject({ auth });
  });

  test.each<[string, Record<string, string>, RegExp, RegExp]>([
    ["nothing", {}, /DATABRICKS_TOKEN.*DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET/, /clientCredentials\(/],
    ["an id alone", { [id]: "a" }, /DATABRICKS_CLIENT_SECRET/, /^DATABRICKS_CLIENT_ID is set/],
    ["a secret alone", { [secret]: "s" }, /DATABRICKS_CLIENT_ID/, /^DATABRICKS_CLIENT_SECRET is set/],
    [
      "both identities",
      { [token]: "t", [id]: "a", [secret]: "s" },
      /TOKEN.*CLIENT_ID/,
      /ambiguous.*DATABRICKS_AUTH_TYPE/,
    ],
    [
      "a choice that is not there",
      { [token]: "t", [type]: "oauth-m2m" },
      /CLIENT_ID and DATABRICKS_CLIENT_SECRET/,
      /needed/,
    ],
    ["an unknown choice", { [token]: "t", [type]: "basic" }, /^DATABRICKS_AUTH_TYPE$/, /must be pat or oauth-m2m/],
    ["a choice that every object has", { [token]: "t", [type]: "constructor" }, /^DATABRICKS_AUTH_TYPE$/, /must be/],
  ])("is told to be missing where there is %s", async (_name, environment, variable, message) => {
    const problem = {
      option: "auth",
      variable: expect.stringMatching(variable),
      message: expect.stringMatching(message),
    };
    expect(await found(environment)).toEqual({ problem });
    expect(JSON.stringify(await found(environment))).not.toMatch(/"(a|s|t|basic)"/);
  });
});
