import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepareWays, type Way, wayNames } from "../demo/identities/ways.ts";
import { installPrograms, type Programs } from "../stand-ins/programs.ts";

const run = promisify(execFile);
const program = new URL("./program.ts", import.meta.url).pathname;
let local: LocalLakebase;
let programs: Programs;
let ways: Way[];

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
  programs = await installPrograms(local);
  ways = await prepareWays(local, programs);
});
afterAll(async () => {
  await programs[Symbol.asyncDispose]();
  await local.close();
});

/** Runs the program with nothing in its environment but this. */
async function start(env: Way["env"]) {
  const { stdout, stderr } = await run(process.execPath, [program], { env });
  for (const secret of local.secrets()) expect(stdout + stderr).not.toContain(secret);
  return { answer: JSON.parse(stdout), stderr };
}

describe("one program, unchanged, is by its environment alone", () => {
  test.each(wayNames)("%s", async (name) => {
    const way = ways.find((candidate) => candidate.name === name) as Way;
    const before = local.logins.length;
    const { answer, stderr } = await start(way.env);
    expect({ answer, stderr }).toEqual({
      answer: { user: way.user, database: local.database, name: "acme+lakebase" },
      stderr: "",
    });
    const [login, ...more] = local.logins.slice(before);
    expect(more).toEqual([]);
    expect(login).toMatchObject({ outcome: "accepted", user: way.user });
    expect(login?.tokenId !== undefined).toBe(way.password === "credential");
    expect(login?.startup).toMatchObject({ application_name: "acme+lakebase" });
  });
});
