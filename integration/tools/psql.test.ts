import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { localhostEnvironment, runLakebase } from "./lakebase-command.ts";

const problem = psqlProblem();
const manifest = await import("@x/lakebase-cli/package.json", { with: { type: "json" } });

let local: LocalLakebase;
let scratch: string;

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());
beforeEach(({ skip }) => {
  if (problem) skip(problem);
  scratch = mkdtempSync(join(tmpdir(), "lakebase-psql-test-"));
});
afterEach(() => {
  local.faults.clear();
  rmSync(scratch, { recursive: true, force: true });
});

function psqlProblem(): string | undefined {
  try {
    execFileSync("psql", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "psql is not installed (Debian: postgresql-client)";
  }
}

/** psql by `lakebase exec`, at a host that is in no DNS: it dials PGHOSTADDR. */
function psql(
  args: readonly string[],
  {
    options = [],
    variables = {},
    input = "",
  }: { options?: string[]; variables?: Record<string, string>; input?: string } = {},
) {
  const env = { ...local.env, HOME: scratch, TMPDIR: scratch, ...variables };
  return runLakebase(["exec", ...options, "--", "psql", "-X", "-At", ...args], env, { input });
}

test("logs in by variables, with verified TLS, SNI and the name in the startup packet", async () => {
  const before = local.logins.length;
  const { code, stdout, stderr } = await psql(["-c", "select current_user, current_database()"]);
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: `${local.servicePrincipal.clientId}|databricks_postgres\n`,
    stderr: "",
  });
  const [login] = local.logins.slice(before);
  expect(login).toMatchObject({ outcome: "accepted", host: local.host });
  expect(login?.startup.application_name).toBe(`x-lakebase-cli/${manifest.default.version}`);
});

test("logs in by URL", async () => {
  const before = local.logins.length;
  const env = { ...local.env, HOME: scratch };
  const line = 'exec psql "$DATABASE_URL" -XAtc "select 1"';
  const { code, stdout } = await runLakebase(
    ["exec", "--application-name", "acme+lakebase", "--", "sh", "-c", line],
    env,
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: "1\n" });
  expect(local.logins.slice(before).map(({ startup }) => startup.application_name)).toEqual(["acme+lakebase"]);
});

test("reads its script from stdin, and ends as psql does", async () => {
  const input = "select 'from stdin';\n\\q\n";
  expect(await psql([], { input })).toMatchObject({ code: 0, stdout: "from stdin\n" });
  const broken = await psql(["-v", "ON_ERROR_STOP=1"], { input: "select 1 / 0;\n" });
  expect(broken).toMatchObject({ code: 3, stdout: "" });
});

test("goes to the read-only host, and to the instance", async () => {
  const show = ["-c", "show transaction_read_only"];
  expect(await psql(show, { options: ["--access", "read-only"] })).toMatchObject({ code: 0, stdout: "on\n" });
  const target = ["--instance", local.instance, "--host-address", local.hostAddress, "--port", String(local.port)];
  expect(await psql(show, { options: target })).toMatchObject({ code: 0, stdout: "off\n" });
  expect(local.logins.at(-1)).toMatchObject({ host: local.instanceHost });
});

test.each(["untrusted", "wrong-name", "expired"] as const)(
  "sends no token to a server whose certificate is %s",
  async (kind) => {
    const { passwordBytes } = local.connections;
    local.faults.tls({ on: "login", kind });
    const { code, stderr } = await psql(["-c", "select 1"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/certificate/);
    expect(local.connections.passwordBytes).toBe(passwordBytes);
  },
);

test("trusts the public roots where no others are named, without a root.crt in the home folder", async () => {
  const { code, stderr } = await psql(["-c", "select 1"], { variables: { PGSSLROOTCERT: "" } });
  expect(code).toBe(2);
  // It had roots, but not the one of this server.
  expect(stderr).toContain("certificate verify failed");
  expect(readdirSync(scratch)).toEqual([]);
});

test("is not led elsewhere by a service or a password file", async () => {
  const service = join(scratch, "service.conf");
  writeFileSync(service, "[elsewhere]\nhost=192.0.2.1\nuser=somebody\npassword=wrong\nsslmode=disable\n");
  const passwords = join(scratch, "pgpass");
  writeFileSync(passwords, "*:*:*:*:wrong\n", { mode: 0o600 });
  const variables = {
    PGSERVICE: "elsewhere",
    PGSERVICEFILE: service,
    PGPASSFILE: passwords,
    PGCONNECT_TIMEOUT: "5",
    PGGSSENCMODE: "require",
  };
  const { code, stdout } = await psql(["-c", "select 1"], { variables });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "1\n" });
});

test("passes PGOPTIONS on", async () => {
  const { stdout } = await psql(["-c", "show statement_timeout"], {
    variables: { PGOPTIONS: "-c statement_timeout=4321" },
  });
  expect(stdout).toBe("4321ms\n");
});

test.each(["plain", "with space", "a+b", "a&b=c", "at@sign", "per%cent", "Ünïcode", "a:b"])(
  "finds a database called %s, by variables and by URL, as node-postgres does",
  async (name) => {
    const admin = new pg.Client(local.postgresUrl);
    await admin.connect();
    await admin.query(`create database ${pg.escapeIdentifier(name)}`).finally(() => admin.end());
    const options = ["--database", name];
    expect((await psql(["-c", "select current_database()"], { options })).stdout).toBe(`${name}\n`);

    const env = localhostEnvironment(local);
    const byUrl = 'psql "$DATABASE_URL" -XAtc "select current_database()"';
    expect((await runLakebase(["exec", ...options, "--", "sh", "-c", byUrl], env)).stdout).toBe(`${name}\n`);
    const script = `
      import pg from ${JSON.stringify(import.meta.resolve("pg"))};
      const client = new pg.Client(process.env.DATABASE_URL);
      await client.connect();
      console.log((await client.query("select current_database() as name")).rows[0].name);
      await client.end();
    `;
    const ended = await runLakebase(
      ["exec", ...options, "--", process.execPath, "--input-type=module", "-e", script],
      env,
    );
    expect(ended.stdout).toBe(`${name}\n`);
  },
);
