import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { isLakebaseHost } from "@x/lakebase-core";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  endLeftovers,
  lakebaseProgram,
  localhostEnvironment,
  runLakebase,
  start,
  startLakebase,
} from "./lakebase-command.ts";

let local: LocalLakebase;
/** What the programs have for temporary files: empty again when a test is over. */
let scratch: string;
let env: Record<string, string>;
const node = process.execPath;
const manifest = JSON.parse(readFileSync(new URL(import.meta.resolve("@x/lakebase-cli/package.json")), "utf8"));
const driver = JSON.stringify(import.meta.resolve("pg"));
const postgresJs = JSON.stringify(import.meta.resolve("postgres"));

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lakebase-cli-test-"));
  env = { ...localhostEnvironment(local), TMPDIR: scratch };
});
afterEach(() => {
  endLeftovers();
  local.faults.clear();
  const leftovers = readdirSync(scratch);
  rmSync(scratch, { recursive: true });
  expect(leftovers).toEqual([]);
});

/** Runs `lakebase`; what it says to people must hold no secret, whatever becomes of it. */
async function lakebase(args: readonly string[], variables: Record<string, string> = {}, input?: string) {
  const ended = await runLakebase(args, { ...env, ...variables }, input === undefined ? {} : { input });
  for (const secret of local.secrets()) expect(ended.stderr.includes(secret)).toBe(false);
  return ended;
}

/** Runs a script of Node by `lakebase exec` and reads the JSON that it prints. */
async function inside(script: string, variables: Record<string, string> = {}, options: readonly string[] = []) {
  const { code, stdout, stderr } = await lakebase(
    ["exec", ...options, "--", node, "--input-type=module", "-e", script],
    variables,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}
const printEnvironment = "console.log(JSON.stringify(process.env))";

async function logIn(password: string, user = local.servicePrincipal.clientId): Promise<void> {
  const { hostAddress: host, port, database, ca, host: servername } = local;
  const client = new pg.Client({ host, port, database, user, password, ssl: { ca, servername } });
  await client.connect();
  await client.end();
}

/** `script` of util-linux lends a program a terminal. */
function terminalProblem(): string | undefined {
  try {
    const version = execFileSync("script", ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return version.includes("util-linux") ? undefined : "its `script` is not that of util-linux";
  } catch {
    return "there is no `script` (util-linux) to lend a terminal";
  }
}

function inTerminal(args: readonly string[]) {
  const line = [node, lakebaseProgram, ...args].map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(" ");
  return start(
    "script",
    ["-qefc", `trap : INT; ${line}; exit $?`, "/dev/null"],
    { ...env, SHELL: "/bin/sh" },
    { input: "" },
  );
}

describe("lakebase token", () => {
  test("prints the token and nothing else, and it is a password", async () => {
    const { code, stdout, stderr } = await lakebase(["token"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^\S+\n$/);
    await logIn(stdout.trim());
  });

  test("prints token, end and target with --json", async () => {
    const { stdout } = await lakebase(["token", "--json"]);
    const { token, expiresAt, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({ target: local.endpoint });
    expect(new Date(expiresAt).getTime()).toBeGreaterThan(local.clock.now());
    await logIn(token);
  });

  test("takes its target from the options before the environment", async () => {
    const { stdout } = await lakebase(["token", "--json", "--instance", local.instance]);
    expect(JSON.parse(stdout).target).toBe(`instance ${local.instance}`);
  });

  test("tells a person at a terminal how long it is good", async ({ skip }) => {
    const problem = terminalProblem();
    if (problem) skip(problem);
    const { code, stdout } = await inTerminal(["token"]).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ey\S+\r\nlakebase: good for logins until 20\S+Z\r\n$/);
  });

  test("gives the workspace calls the name of this program, or the one that was chosen", async () => {
    const before = local.requests.length;
    await lakebase(["token"]);
    await lakebase(["token", "--application-name", "acme+lakebase"]);
    const names = local.requests.slice(before).map(({ userAgent }) => userAgent?.split(" ")[0]);
    expect([...new Set(names)]).toEqual([`x-lakebase-cli/${manifest.version}`, "acme+lakebase"]);
  });

  test("ends quietly when nobody reads it", async () => {
    const started = startLakebase(["token"], env);
    started.process.stdout?.destroy();
    const { code, stderr } = await started.ended;
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  });
});

describe.each(["token", "exec"])("lakebase %s says why it failed, by text and exit code:", (command) => {
  const marker = () => join(scratch, "was-started");
  const fail = async (options: readonly string[], variables: Record<string, string> = {}) => {
    const rest = command === "exec" ? ["--", "touch", marker()] : [];
    const { code, stdout, stderr } = await lakebase([command, ...options, ...rest], variables);
    expect(stdout).toBe("");
    expect(stderr).not.toMatch(/^\s+at /m);
    // No command runs without a password.
    expect(readdirSync(scratch)).toEqual([]);
    return { code, stderr };
  };

  test("2 for an option that does not exist, with the one that was meant", async () => {
    const { code, stderr } = await fail(["--databse", "x"]);
    expect(code).toBe(2);
    expect(stderr).toContain("Did you mean --database?");
  });

  test("2 for a secret among the arguments, without repeating it", async () => {
    const { code, stderr } = await fail(["--password=hunter2's\nsecret"]);
    expect(code).toBe(2);
    expect(stderr).toBe("error: unknown option '--password=…'\n");
  });

  test("2 for an option that is empty, as a variable is that was forgotten", async () => {
    const { code, stderr } = await fail(["--database", ""]);
    expect(code).toBe(2);
    expect(stderr).toContain("--database <name>");
  });

  test("2 for everything that is missing, each with its flag and variable", async () => {
    const names = ["DATABRICKS_HOST", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET", "LAKEBASE_ENDPOINT"];
    const { code, stderr } = await fail([], Object.fromEntries(names.map((name) => [name, ""])));
    expect(code).toBe(2);
    for (const name of [...names, "--endpoint", "ERR_LAKEBASE_CONFIG"]) expect(stderr).toContain(name);
  });

  test("2 for a host that must not receive a token", async () => {
    const { code, stderr } = await fail(["--endpoint", local.endpoint, "--host", "db.example.com"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--host or PGHOST: is not a Lakebase host (db.example.com)");
  });

  test("3 for an identity that the workspace does not accept", async () => {
    const { code, stderr } = await fail([], { DATABRICKS_CLIENT_SECRET: "wrong" });
    expect(code).toBe(3);
    expect(stderr).toContain("ERR_LAKEBASE_UNAUTHENTICATED");
  });

  test("3 for an identity that may not", async () => {
    local.faults.api({ on: "credential", kind: "status", status: 403 });
    const { code, stderr } = await fail([]);
    expect(code).toBe(3);
    expect(stderr).toContain("ERR_LAKEBASE_PERMISSION_DENIED");
  });

  test("4 for an endpoint that is not there", async () => {
    const { code, stderr } = await fail(["--endpoint", "projects/none/branches/none/endpoints/none"]);
    expect(code).toBe(4);
    expect(stderr).toContain("ERR_LAKEBASE_NOT_FOUND");
  });

  test("5 for a workspace that does not answer in time", async () => {
    local.faults.api({ kind: "hang" });
    const { code, stderr } = await fail(["--timeout", "0.3"]);
    expect(code).toBe(5);
    expect(stderr).toMatch(/300 ms[\s\S]*ERR_LAKEBASE_TIMEOUT/);
  });

  test("5 for a workspace that is overloaded until then", async () => {
    local.faults.api({ on: "credential", kind: "status", status: 429 });
    const { code, stderr } = await fail(["--timeout", "0.3"]);
    expect(code).toBe(5);
    expect(stderr).toMatch(/ERR_LAKEBASE_(RATE_LIMITED|TIMEOUT)/);
  });

  test("6 for a workspace whose certificate is not its own", async () => {
    local.faults.tls({ on: "api", kind: "untrusted" });
    const { code, stderr } = await fail([]);
    expect(code).toBe(6);
    expect(stderr).toContain("ERR_LAKEBASE_TLS");
  });
});

describe("lakebase exec", () => {
  test.each([[["exec"]], [["exec", "--"]], [["exec", "--database", "d"]], [["exec", "env"]]])(
    "%o, without a command after --, is a wrong use",
    async (args) => {
      const { code, stdout, stderr } = await lakebase(args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain("-- <command>");
    },
  );

  test("lets a program with one of our adapters log in where a host alone was named, without a search of its own", async () => {
    const [asked, before] = [local.requests.length, local.logins.length];
    const seam = JSON.stringify(import.meta.resolve("@x/lakebase-core/pg"));
    const rows = await inside(
      `
      import { lakebasePool } from ${seam};
      await using pool = lakebasePool({ max: 1 });
      console.log(JSON.stringify((await pool.query("select current_user::text as user")).rows));
    `,
      { ...local.envFor("apps"), LAKEBASE_ENDPOINT: "" },
    );
    expect(rows).toEqual([{ user: local.servicePrincipal.clientId }]);
    expect(local.logins.slice(before).map(({ host, outcome }) => [host, outcome])).toEqual([[local.host, "accepted"]]);
    const operations = local.requests.slice(asked).map(({ operation }) => operation);
    expect(operations.filter((operation) => operation === "projects")).toHaveLength(1);
    expect(operations.filter((operation) => operation === "credential")).toHaveLength(2);
  });

  test("lets node-postgres and postgres.js log in by URL and by variables, with TLS and the name in the startup packet", async () => {
    const before = local.logins.length;
    const rows = await inside(`
      import pg from ${driver};
      import postgres from ${postgresJs};
      const statement = "select current_user as user, current_database() as database";
      const rows = [];
      for (const given of [process.env.DATABASE_URL, undefined]) {
        const client = new pg.Client(given);
        await client.connect();
        rows.push((await client.query(statement)).rows[0]);
        await client.end();
        const sql = given === undefined ? postgres() : postgres(given);
        rows.push((await sql.unsafe(statement))[0]);
        await sql.end();
      }
      console.log(JSON.stringify(rows));
    `);
    expect(rows).toEqual(Array(4).fill({ user: local.servicePrincipal.clientId, database: "databricks_postgres" }));
    const logins = local.logins.slice(before);
    expect(logins.map(({ outcome, startup }) => [outcome, startup?.application_name])).toEqual(
      Array(4).fill(["accepted", `x-lakebase-cli/${manifest.version}`]),
    );
    expect(local.connections.plaintextRefused).toBe(0);
  });

  test.each(["untrusted", "wrong-name", "expired"] as const)(
    "lets none of them log in to a server whose certificate is %s",
    async (kind) => {
      local.faults.tls({ on: "login", kind });
      const { passwordBytes } = local.connections;
      const outcomes = await inside(`
        import pg from ${driver};
        import postgres from ${postgresJs};
        const outcomes = [];
        const told = (run) => run.then(() => outcomes.push("in"), () => outcomes.push("refused"));
        for (const given of [process.env.DATABASE_URL, undefined]) {
          await told(new pg.Client(given).connect());
          const sql = given === undefined ? postgres() : postgres(given);
          await told(sql\`select 1\`);
          await sql.end();
        }
        console.log(JSON.stringify(outcomes));
      `);
      expect(outcomes).toEqual(Array(4).fill("refused"));
      expect(local.connections.passwordBytes).toBe(passwordBytes);
    },
  );

  test("goes where its options say, and tells the command the same", async () => {
    const before = local.logins.length;
    const options = ["--instance", local.instance, "--host", "localhost", "--port", String(local.port)];
    const [row, seen] = await inside(
      `import pg from ${driver};
       const client = new pg.Client(process.env.DATABASE_URL);
       await client.connect();
       const { rows } = await client.query("select current_user as user, current_database() as database");
       await client.end();
       console.log(JSON.stringify([rows[0], process.env]));`,
      { PGUSER: "somebody", PGPASSWORD: "something" },
      [...options, "--database", "postgres", "--application-name", "acme+lakebase"],
    );
    expect(row).toEqual({ user: local.servicePrincipal.clientId, database: "postgres" });
    expect(local.logins.slice(before).map(({ startup }) => startup?.application_name)).toEqual(["acme+lakebase"]);
    expect(seen).toMatchObject({ LAKEBASE_INSTANCE_NAME: local.instance, PGAPPNAME: "acme+lakebase" });
    expect(seen).not.toHaveProperty("LAKEBASE_ENDPOINT");
  });

  test("asks the workspace for host and user where nobody names them", async () => {
    const { personalAccessToken, userName } = local.user;
    const seen = await inside(printEnvironment, {
      PGHOST: "",
      PGUSER: "",
      DATABRICKS_CLIENT_ID: "",
      DATABRICKS_CLIENT_SECRET: "",
      DATABRICKS_TOKEN: personalAccessToken,
    });
    expect(seen).toMatchObject({ PGHOST: local.host, PGUSER: userName });
    await logIn(seen.PGPASSWORD, userName);
  });

  test("is whom a profile names, and says when others can read it", async () => {
    const file = join(scratch, "databrickscfg");
    const { personalAccessToken, userName } = local.user;
    writeFileSync(file, `[dev]\nhost = ${local.workspaceUrl}\ntoken = ${personalAccessToken}\n`);
    chmodSync(file, 0o644);
    const { code, stdout, stderr } = await lakebase(["token"], {
      PGUSER: "",
      DATABRICKS_HOST: "",
      DATABRICKS_CLIENT_ID: "",
      DATABRICKS_CLIENT_SECRET: "",
      DATABRICKS_CONFIG_FILE: file,
      DATABRICKS_CONFIG_PROFILE: "dev",
    });
    rmSync(file);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `lakebase: ${file} can be read by other users of this machine (mode 644); run \`chmod 600\` on it\n`,
    });
    await logIn(stdout.trim(), userName);
  });

  test("goes to the read-only host with --access read-only", async () => {
    const seen = await inside(printEnvironment, { PGHOST: "" }, ["--access", "read-only"]);
    expect(seen.PGHOST).toBe(local.readOnlyHost);
    expect(isLakebaseHost(seen.PGHOST)).toBe(true);
  });

  test("says that a password for an endpoint is not used", async () => {
    const { code, stderr } = await lakebase(["exec", "--", "true"], { PGPASSWORD: "something" });
    expect(code).toBe(0);
    expect(stderr).toBe("lakebase: PGPASSWORD is not used: an endpoint or instance is reached with tokens\n");
  });

  test("does not pass on what turns verification off for all of Node", async () => {
    const { code, stdout, stderr } = await lakebase(["exec", "--", node, "-e", printEnvironment], {
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).not.toHaveProperty("NODE_TLS_REJECT_UNAUTHORIZED");
    expect(stderr).toContain("lakebase: NODE_TLS_REJECT_UNAUTHORIZED is not passed on");
  });

  test("hands over arguments as they are, and no shell reads them", async () => {
    const args = ["a b", "$HOME", "*", "`id`", "", "--", "--json", "'"];
    const script = "console.log(JSON.stringify(process.argv.slice(1)))";
    const { stdout } = await lakebase(["exec", "--", node, "-e", script, "--", ...args]);
    expect(JSON.parse(stdout)).toEqual(args);
  });

  test("hands over stdin, stdout and stderr", async () => {
    const script =
      "process.stdin.once('data', (d) => { console.log('out ' + d); console.error('err ' + d); process.exit() })";
    const { code, stdout, stderr } = await lakebase(["exec", "--", node, "-e", script], {}, "hello");
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "out hello\n", stderr: "err hello\n" });
  });

  test("puts no secret on a command line", async () => {
    const script = "console.log(require('child_process').execFileSync('ps', ['-A', '-o', 'args=']).toString())";
    const { code, stdout } = await lakebase(["exec", "--", node, "-e", script]);
    expect(code).toBe(0);
    expect(stdout).toContain(`${lakebaseProgram} exec --`);
    for (const secret of local.secrets()) expect(stdout.includes(secret)).toBe(false);
  });

  test.each([0, 1, 2, 77, 255])("ends with the command's own code: %i", async (wanted) => {
    const { code, stderr } = await lakebase(["exec", "--", "sh", "-c", `exit ${wanted}`]);
    expect({ code, stderr }).toEqual({ code: wanted, stderr: "" });
  });

  test.each([
    ["KILL", 137],
    ["TERM", 143],
    ["SEGV", 139],
  ])("ends with 128 + n when SIG%s has ended the command", async (signal, wanted) => {
    const { code } = await lakebase(["exec", "--", "sh", "-c", `kill -${signal} $$`]);
    expect(code).toBe(wanted);
  });

  test("ends with 127 where there is no such command, and 126 where it is not one", async () => {
    const missing = await lakebase(["exec", "--", "no-such-command", "--force"]);
    expect(missing.code).toBe(127);
    expect(missing.stderr).toMatch(/^lakebase: there is no command no-such-command: it is not on PATH/);
    const file = join(mkdtempSync(join(tmpdir(), "lakebase-cli-test-")), "data.txt");
    writeFileSync(file, "text");
    chmodSync(file, 0o644);
    const data = await lakebase(["exec", "--", file]);
    expect(data.code).toBe(126);
    expect(data.stderr).toBe(`lakebase: the command ${file} cannot be run (EACCES)\n`);
    const below = await lakebase(["exec", "--", join(file, "below")]);
    expect(below).toMatchObject({
      code: 126,
      stderr: `lakebase: the command ${join(file, "below")} cannot be run (ENOTDIR)\n`,
    });
    rmSync(join(file, ".."), { recursive: true });
  });

  test("an open session outlives the token, and only a new login needs another", async () => {
    const script = `
      import pg from ${driver};
      const client = new pg.Client(process.env.DATABASE_URL);
      await client.connect();
      console.log("connected");
      await new Promise((resolve) => process.stdin.once("data", resolve));
      const { rows } = await client.query("select 1 as one");
      console.log("still " + rows[0].one);
      await client.end();
      const second = await new pg.Client(process.env.DATABASE_URL).connect().catch((error) => error);
      console.log("then " + second.code);
      process.exit();
    `;
    const started = startLakebase(["exec", "--", node, "--input-type=module", "-e", script], env, { input: "" });
    await started.says("connected");
    local.clock.advance(3_700_000);
    started.process.stdin?.write("go");
    const { stdout } = await started.ended;
    expect(stdout).toMatch(/still 1\nthen (XX000|28P01)\n/);
  });
});

describe("signals", () => {
  /** Says which signals it gets, by number, and ends by itself with the fifth. */
  const listener = `
    let count = 0;
    for (const signal of ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {
      count += 1;
      console.log("got " + signal + " as number " + count);
      if (count === 5) process.exit(42);
    });
    setInterval(() => {}, 1000);
    console.log("ready " + process.ppid);
  `;

  /** Sends more by way of `lakebase`, each when the one before has come, so that a double of the first is among them. */
  async function listenOn(started: ReturnType<typeof startLakebase>, signal: NodeJS.Signals, pid: number) {
    await started.says(`got ${signal} as number 1`);
    for (const number of [2, 3, 4, 5]) {
      process.kill(pid, "SIGTERM");
      await started.says(`as number ${number}`);
    }
    const { code, stdout } = await started.ended;
    expect(stdout.match(/got SIG\w+/g)).toEqual([`got ${signal}`, ...Array(4).fill("got SIGTERM")]);
    expect(code).toBe(42);
  }

  test.each(["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const)(
    "passes %s on once where there is no terminal, waits for the command, and ends as it does",
    async (signal) => {
      const started = startLakebase(["exec", "--", node, "-e", listener], env);
      const [, pid] = /ready (\d+)/.exec(await started.says("ready")) ?? [];
      expect(started.process.pid).toBe(Number(pid));
      started.process.kill(signal);
      await listenOn(started, signal, Number(pid));
    },
  );

  test("a command that dies of the signal makes it 128 + n", async () => {
    const started = startLakebase(["exec", "--", "sh", "-c", "echo ready; exec sleep 60"], env);
    await started.says("ready");
    started.process.kill("SIGTERM");
    expect(await started.ended).toMatchObject({ code: 143, signal: null });
  });

  test("Ctrl-C at a terminal reaches the command once", async ({ skip }) => {
    const problem = terminalProblem();
    if (problem) skip(problem);
    const started = inTerminal(["exec", "--", node, "-e", listener]);
    const [, pid] = /ready (\d+)/.exec(await started.says("ready")) ?? [];
    // Two at once are one to the system, so the command has to be ahead of us for a second to show.
    process.kill(Number(pid), "SIGSTOP");
    started.process.stdin?.write("\x03");
    await started.says("got SIGINT as number 1");
    process.kill(Number(pid), "SIGCONT");
    await listenOn(started, "SIGINT", Number(pid));
  });

  test("one that comes while the token is fetched ends it there, and no command is started", async () => {
    const fault = local.faults.api({ on: "credential", kind: "hang" });
    const started = startLakebase(["exec", "--", "touch", join(scratch, "was-started")], env);
    while (fault.hits === 0) await setImmediate();
    started.process.kill("SIGINT");
    expect(await started.ended).toMatchObject({ code: null, signal: "SIGINT", stderr: "" });
  });

  test("one that comes just before the command would start is not lost, and no command is started", async () => {
    const files = mkdtempSync(join(tmpdir(), "lakebase-cli-test-"));
    // A pipe can be opened for writing without waiting as soon as somebody wants to read it.
    const pipe = join(files, "ca.pem");
    execFileSync("mkfifo", [pipe]);
    const answer = async (meanwhile = () => {}) => {
      for (;;) {
        try {
          const descriptor = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
          meanwhile();
          writeSync(descriptor, local.ca);
          closeSync(descriptor);
          return;
        } catch (error) {
          expect((error as NodeJS.ErrnoException).code).toBe("ENXIO");
          await setImmediate();
        }
      }
    };
    const minted = () => local.requests.filter(({ operation }) => operation === "credential").length;
    const before = minted();
    const others = join(files, "others.pem");
    writeFileSync(others, local.ca);
    const variables = { ...env, PGSSLROOTCERT: pipe, NODE_EXTRA_CA_CERTS: others };
    const started = startLakebase(["exec", "--", "touch", join(scratch, "was-started")], variables);
    // The library reads it before it mints, and the preparation of the command once more, after it.
    await answer();
    while (minted() === before) await setImmediate();
    await answer(() => started.process.kill("SIGTERM"));
    expect(await started.ended).toMatchObject({ code: 143, signal: null, stderr: "" });
    rmSync(files, { recursive: true });
  });
});

describe("root certificates", () => {
  const look = `
    const { readFileSync, statSync } = require("fs");
    const { dirname } = require("path");
    const file = process.env.PGSSLROOTCERT;
    const text = readFileSync(file, "utf8");
    console.log(JSON.stringify({
      file,
      modes: [statSync(file).mode & 0o777, statSync(dirname(file)).mode & 0o777],
      count: text.match(/BEGIN CERTIFICATE/g).length,
      text,
      extra: process.env.NODE_EXTRA_CA_CERTS,
      extraCount: process.env.NODE_EXTRA_CA_CERTS && readFileSync(process.env.NODE_EXTRA_CA_CERTS, "utf8").match(/BEGIN CERTIFICATE/g).length,
    }));
  `;
  const seen = async (variables: Record<string, string>) => {
    const { code, stdout, stderr } = await lakebase(["exec", "--", node, "-e", look], variables);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout);
  };

  test.each(["", "system"])(
    "PGSSLROOTCERT=%s: the public ones, in a private file for the time of the command",
    async (value) => {
      const found = await seen({ PGSSLROOTCERT: value });
      expect(found.file.startsWith(`${scratch}/`)).toBe(true);
      expect(found.modes).toEqual([0o600, 0o700]);
      expect(found.count).toBeGreaterThan(100);
      expect(found.extra).toBeUndefined();
      expect(readdirSync(scratch)).toEqual([]);
    },
  );

  test("what NODE_EXTRA_CA_CERTS adds is among the public ones", async () => {
    const found = await seen({ PGSSLROOTCERT: "", NODE_EXTRA_CA_CERTS: local.caFile });
    expect(found.text).toContain(local.ca.trim());
    expect(found.extra).toBe(local.caFile);
  });

  test("a file is passed on by its full path, for Node as well", async () => {
    expect(await seen({})).toMatchObject({ file: local.caFile, count: 1, extra: local.caFile });
    const folder = mkdtempSync(join(tmpdir(), "lakebase-cli-test-"));
    writeFileSync(join(folder, "ca.pem"), local.ca);
    const { stdout } = await runLakebase(
      ["exec", "--", node, "-e", look],
      { ...env, PGSSLROOTCERT: "ca.pem" },
      { cwd: folder },
    );
    expect(JSON.parse(stdout)).toMatchObject({ file: join(folder, "ca.pem"), extra: join(folder, "ca.pem") });
    rmSync(folder, { recursive: true });
  });

  test("text becomes a file", async () => {
    const found = await seen({ PGSSLROOTCERT: local.ca });
    expect(found).toMatchObject({ text: local.ca.trim(), modes: [0o600, 0o700], extra: found.file });
  });

  test("Node keeps those that it was told of before", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lakebase-cli-test-"));
    const others = join(folder, "others.pem");
    writeFileSync(others, local.ca);
    const found = await seen({ NODE_EXTRA_CA_CERTS: others });
    expect(found).toMatchObject({ file: local.caFile, extraCount: 2 });
    expect([local.caFile, others]).not.toContain(found.extra);
    rmSync(folder, { recursive: true });
  });

  test.each([
    ["a command that fails", ["sh", "-c", "exit 3"], 3],
    ["a command that is killed", ["sh", "-c", "kill -KILL $$"], 137],
    ["a command that is not there", ["no-such-command"], 127],
  ])("nothing is left behind by %s", async (_what, command, wanted) => {
    const { code } = await lakebase(["exec", "--", ...command], { PGSSLROOTCERT: "" });
    expect(code).toBe(wanted);
    expect(readdirSync(scratch)).toEqual([]);
  });

  test.each(["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const)("nothing is left behind by %s", async (signal) => {
    const started = startLakebase(["exec", "--", "sh", "-c", "echo ready; exec sleep 60"], {
      ...env,
      PGSSLROOTCERT: "",
    });
    await started.says("ready");
    expect(readdirSync(scratch)).toHaveLength(1);
    started.process.kill(signal);
    await started.ended;
    expect(readdirSync(scratch)).toEqual([]);
  });

  test("SIGKILL, which nobody can answer, leaves public certificates and the command, and no secret", async () => {
    const script = "echo ready $$; exec sleep 60";
    const started = startLakebase(["exec", "--", "sh", "-c", script], { ...env, PGSSLROOTCERT: "" });
    const [, command] = /ready (\d+)/.exec(await started.says("ready")) ?? [];
    started.process.kill("SIGKILL");
    await once(started.process, "exit");
    const [folder = ""] = readdirSync(scratch);
    expect(readdirSync(join(scratch, folder))).toEqual(["roots.pem"]);
    const text = readFileSync(join(scratch, folder, "roots.pem"), "utf8");
    for (const secret of local.secrets()) expect(text.includes(secret)).toBe(false);
    rmSync(join(scratch, folder), { recursive: true });
    process.kill(Number(command));
    await started.ended;
  });

  test("a folder that cannot be written is told with what to do", async () => {
    const { code, stderr } = await lakebase(["exec", "--", "true"], {
      PGSSLROOTCERT: "",
      TMPDIR: join(scratch, "none"),
    });
    expect(code).toBe(2);
    expect(stderr).toContain("set TMPDIR");
  });
});
