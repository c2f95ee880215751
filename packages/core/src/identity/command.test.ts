import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { watch } from "../../test/fake-workspace.ts";
import { runCommand } from "./command.ts";

describe("running a program", () => {
  const environment = { PATH: process.env.PATH };
  const shell = (script: string, signal = new AbortController().signal) =>
    runCommand({ path: "sh", args: ["-c", script], environment, signal });

  test("answers what it printed, and how it ended", async () => {
    expect(await shell("echo out; echo err >&2; exit 3")).toEqual({
      kind: "ended",
      code: 3,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test.each([{}, { PATH: "" }, { path: process.env.PATH }])(
    "finds none by its name without a PATH: %o",
    async (own) => {
      const run = (path: string) =>
        runCommand({ path, args: [], environment: own, signal: new AbortController().signal });
      // The system would look into its own folders.
      expect(await run("true")).toEqual({ kind: "absent" });
      expect(await run(process.execPath)).toMatchObject({ kind: "ended" });
    },
  );

  test("does not wait for what a program has left behind, once it is given up", async () => {
    const folder = await mkdtemp(join(tmpdir(), "command-"));
    const pidFile = join(folder, "pid");
    const controller = new AbortController();
    // Out of its group, and with its output still in hand.
    const running = shell(`setsid sh -c 'echo $$ > ${pidFile}; exec sleep 60' & sleep 60`, controller.signal);
    const state = watch(running);
    const pid = () => readFile(pidFile, "utf8").catch(() => "");
    await expect.poll(pid, { timeout: 10_000 }).toMatch(/^\d+\n$/);
    try {
      controller.abort(new Error("given up"));
      await expect.poll(() => state.settled, { timeout: 10_000 }).toBe(true);
      expect(state.error).toMatchObject({ message: "given up" });
    } finally {
      process.kill(Number(await pid()), "SIGKILL");
      await rm(folder, { recursive: true });
    }
  });
});
