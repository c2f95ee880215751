import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configFilePath, findProfile, profileOf, readConfigFile, variablesOfProfile } from "./config-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lakebase-config-file-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string) {
  const path = join(folder, "databrickscfg");
  await writeFile(path, text, { mode: 0o600 });
  const file = await readConfigFile(path);
  if (!file) throw new Error("was just written");
  return file;
}

describe("the file of profiles", () => {
  test.each([
    ["a name with dots", "[dev.eu.1]\nhost = h\n", "dev.eu.1", { host: "h" }],
    ["a value with an equals sign", "[a]\ntoken = a=b==\n", "a", { token: "a=b==" }],
    ["comments and blank lines", "; one\n# two\n\n[a]\n# token = x\nhost = h\n", "a", { host: "h" }],
    ["Windows line ends, and a mark of the encoding", "\uFEFF[a]\r\nhost = h\r\n", "a", { host: "h" }],
    ["quotes", '[a]\nhost = "h"\n', "a", { host: "h" }],
    ["a section in two parts", "[a]\nhost = h\n[b]\nx = y\n[a]\ntoken = t\n", "a", { host: "h", token: "t" }],
    ["what looks true", "[a]\nazure_use_msi = true\n", "a", { azure_use_msi: "true" }],
    ["names that every object has", "[constructor]\ntoString = x\n", "constructor", { toString: "x" }],
    ["an indented section", "  [a]\n  host = h\n", "a", { host: "h" }],
  ])("is read with %s", async (_name, text, name, fields) => {
    expect(profileOf(await read(text), name)?.fields).toEqual(fields);
  });

  test("gives a profile nothing of DEFAULT", async () => {
    const file = await read("[DEFAULT]\nhost = h\ntoken = t\n[a]\nhost = other\n");
    const profile = profileOf(file, "a");
    expect(profile?.fields).toEqual({ host: "other" });
    expect(profile && variablesOfProfile(profile)("DATABRICKS_TOKEN")).toBeUndefined();
  });

  test("has the profile that was switched to, and else DEFAULT", async () => {
    const switched = await read("[__settings__]\ndefault_profile = b\n[DEFAULT]\nhost = h\n[b]\nhost = i\n");
    expect(profileOf(switched)?.name).toBe("b");
    expect([...switched.profiles.keys()]).toEqual(["DEFAULT", "b"]);
    expect(profileOf(await read("[DEFAULT]\nhost = h\n"))?.name).toBe("DEFAULT");
  });

  test("has no default where DEFAULT is empty, as the CLI leaves it", async () => {
    expect(
      profileOf(await read("; The profile defined in the DEFAULT section\n[DEFAULT]\n\n[a]\nhost = h\n")),
    ).toBeUndefined();
  });

  test("cannot change what objects are made of", async () => {
    await read("[__proto__]\npolluted = yes\n[a]\n__proto__ = x\nhost = h\n");
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });

  test("is read as it was written, whatever the names and values are", async () => {
    const name = fc
      .stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9 ._-]{0,20}[a-zA-Z0-9]$/)
      .filter((text) => text !== "__settings__");
    const value = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9=:/.~_%+@!-]{0,40}$/);
    const profiles = fc.dictionary(
      name,
      fc.dictionary(fc.constantFrom("host", "token", "client_id"), value, { minKeys: 1 }),
      { minKeys: 1 },
    );
    await fc.assert(
      fc.asyncProperty(profiles, async (written) => {
        const text = Object.entries(written)
          .map(
            ([section, fields]) =>
              `[${section}]\n${Object.entries(fields)
                .map(([key, text]) => `${key} = ${text}\n`)
                .join("")}`,
          )
          .join("\n");
        const file = await read(text);
        expect(Object.fromEntries(file.profiles)).toEqual({ ...written });
      }),
      { numRuns: 60 },
    );
  });

  test("is told by name where it cannot be read", async () => {
    await expect(readConfigFile(folder)).rejects.toThrow(`${folder} cannot be read (EISDIR)`);
  });

  test("is in the home folder, unless the environment names another; and without a home there is none", () => {
    const variables = (environment: Record<string, string>) => (name: string) => environment[name];
    expect(configFilePath(variables({ HOME: "/home/a" }))).toBe("/home/a/.databrickscfg");
    expect(configFilePath(variables({ USERPROFILE: "/users/a" }))).toBe("/users/a/.databrickscfg");
    expect(configFilePath(variables({ HOME: "/home/a", DATABRICKS_CONFIG_FILE: "~/other" }))).toBe("/home/a/other");
    expect(configFilePath(variables({ DATABRICKS_CONFIG_FILE: "/etc/cfg" }))).toBe("/etc/cfg");
    expect(configFilePath(variables({}))).toBeUndefined();
    expect(configFilePath(variables({ DATABRICKS_CONFIG_FILE: "/etc/cfg" }), "/given")).toBe("/given");
  });

  test("is asked for a profile without a home in the same words", async () => {
    await expect(findProfile(() => undefined, undefined, undefined)).rejects.toThrow(
      "a profile is needed, but a home folder, and .databrickscfg in it, is not there",
    );
  });
});
