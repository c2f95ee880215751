import { spawn } from "node:child_process";

// Reads until the pipe ends, which it does however the parent dies. Postgres writes its process id into its folder.
const SCRIPT = `
trap '' HUP INT TERM
read -r _
for file in "$1"/*/postmaster.pid; do
  pid=$(head -n 1 "$file" 2>/dev/null) && [ -n "$pid" ] || continue
  kill -QUIT "$pid" 2>/dev/null
  tries=0
  while [ "$tries" -lt 50 ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$pid" 2>/dev/null
done
rm -rf "$1"
`;

/** Waits for the death of this process, then ends Postgres and takes its folder away. */
export interface Guardian {
  /** Ends the guardian itself, when Postgres has been stopped in the ordinary way. */
  dismiss(): void;
}

export function postGuardian(folder: string): Guardian {
  // A session of its own: Ctrl-C in a terminal must not take the guardian before its turn has come.
  const child = spawn("/bin/sh", ["-c", SCRIPT, "lakebase-local-guardian", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
  });
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  return { dismiss: () => void child.kill("SIGKILL") };
}
