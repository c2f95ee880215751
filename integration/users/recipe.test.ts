import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Notebook, openNotebook } from "./notebook.ts";

const recipe = readFileSync(new URL("../../docs/recipes/on-behalf-of-users.md", import.meta.url), "utf8");
const program = /```ts\n(.*?)```/s.exec(recipe)?.[1] as string;

let notebook: Notebook;

beforeAll(async () => {
  notebook = await openNotebook(2);
});
afterAll(() => notebook[Symbol.asyncDispose]());

/** The recipe's program as it stands there, on a port of its own. */
function start() {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-"], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ...notebook.local.env, DATABRICKS_APP_PORT: "0", NODE_NO_WARNINGS: "1" },
  });
  let told = "";
  child.stderr.on("data", (chunk) => {
    told += chunk;
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const port = new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).once("line", (line) => resolve(Number(/port: (\d+)/.exec(line)?.[1])));
    void exit.then(() => reject(new Error(told)));
  });
  child.stdin.end(program);
  return { child, exit, port, told: () => told };
}

test("the program of the recipe serves each person's own notes, and ends when it is told to", async () => {
  const { local, people } = notebook;
  const { child, exit, port, told } = start();
  const url = `http://127.0.0.1:${await port}`;
  const get = (headers: Record<string, string>) => fetch(url, { headers });
  for (const person of people) {
    const accessToken = await notebook.tokenOf(person);
    const answer = await get({ "x-forwarded-access-token": accessToken, "x-forwarded-email": people[0] as string });
    expect(answer.status, told()).toBe(200);
    const notes = (await answer.json()) as { owner: string }[];
    expect(notes.map(({ owner }) => owner)).toEqual(Array(notebook.notesEach).fill(person));
  }
  const [nobody] = await local.addPeople(["no-role@example.com"], { role: false });
  const answers: [Record<string, string>, number, string][] = [
    [{}, 401, "sign in first"],
    [{ "x-forwarded-email": people[0] as string }, 401, "sign in first"],
    [{ "x-forwarded-access-token": "forged" }, 401, "ERR_LAKEBASE_UNAUTHENTICATED"],
    [
      { "x-forwarded-access-token": await notebook.tokenOf(nobody?.userName as string) },
      403,
      "ERR_LAKEBASE_MISSING_ROLE",
    ],
  ];
  for (const [headers, status, text] of answers) {
    const answer = await get(headers);
    expect([answer.status, await answer.text()]).toEqual([status, text]);
  }
  expect(told()).toContain("databricks_create_role('no-role@example.com', 'USER')");
  for (const secret of local.secrets()) expect(told()).not.toContain(secret);
  child.kill("SIGTERM");
  expect(await exit, told()).toBe(0);
});
