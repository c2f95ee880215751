import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startLocalLakebase } from "../src/index.ts";
import { DEFAULT_MAJOR, findEmbedded, type PostgresMajor } from "../src/postgres/binaries.ts";
import { probeEngine } from "../src/postgres/engine.ts";
import { providePostgres } from "../src/postgres/provider.ts";
import { type PostgresServer, startServer } from "../src/postgres/server.ts";
import { createPrivateFolder, type PrivateFolder } from "../src/private-folder.ts";
import { credential, openClient, refusal } from "./clients.ts";
import { listen, startEngine } from "./engine.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lakebase-probe-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the question whether a Docker engine is there", () => {
  test.each([
    ["a Unix socket", () => join(folder, "docker.sock")],
    ["TCP", () => undefined],
  ])("is answered by one on %s", async (_name, path) => {
    const asked: unknown[] = [];
    const engine = await listen((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end("OK");
    }, path());
    expect(await probeEngine({ DOCKER_HOST: engine.url })).toEqual({ engine: engine.url });
    expect(asked).toEqual(["GET /_ping"]);
    engine.close();
  });

  test("is answered by one that never ends its answer", async () => {
    const engine = await listen((_request, response) => void response.writeHead(200).write("O"));
    expect(await probeEngine({ DOCKER_HOST: engine.url })).toEqual({ engine: engine.url });
    engine.close();
  });

  test("is answered by a socket in the folder of the session, where DOCKER_HOST says nothing", async () => {
    const engine = await listen((_request, response) => response.end("OK"), join(folder, "docker.sock"));
    expect(await probeEngine({ XDG_RUNTIME_DIR: folder })).toHaveProperty("engine");
    engine.close();
  });

  test("is no while the engine says that it cannot", async () => {
    const engine = await listen((_request, response) => void response.writeHead(500).end());
    expect(await probeEngine({ DOCKER_HOST: engine.url })).toEqual({
      problem: "no Docker engine answers (DOCKER_HOST: /_ping was answered by 500)",
    });
    engine.close();
  });

  test("is no after two seconds when nothing comes back", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    const began = performance.now();
    expect(await probeEngine({ DOCKER_HOST: `tcp://127.0.0.1:${port}` })).toEqual({
      problem: "no Docker engine answers (DOCKER_HOST: no answer within 2 s)",
    });
    expect(performance.now() - began).toBeLessThan(4000);
    silent.close();
  });

  test.each([
    ["no socket", "unix:///nonexistent/docker.sock", /ENOENT/],
    ["nothing on the port", "tcp://127.0.0.1:1", /ECONNREFUSED/],
    ["a way in that is not HTTP", "ssh://somebody:hunter2@example.com", /ssh: is not unix:, tcp: or http:/],
    ["no URL", "hunter2", /Invalid URL/],
    [
      "certificates that are not there",
      "tcp://127.0.0.1:1",
      /ENOENT.*ca\.pem/,
      { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/none" },
    ],
  ])("is no at once for %s", async (_name, DOCKER_HOST, reason, env: Record<string, string> = {}) => {
    const began = performance.now();
    const probe = await probeEngine({ DOCKER_HOST, ...env });
    expect(probe).toEqual({ problem: expect.stringMatching(reason) });
    expect(JSON.stringify(probe)).not.toContain("hunter2");
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("a local Lakebase in a container", () => {
  let privateFolder: PrivateFolder;
  let server: PostgresServer;
  let engine: Awaited<ReturnType<typeof startEngine>>;
  const env: Record<string, string> = { LAKEBASE_TEST_PROVIDER: "docker" };

  beforeAll(async () => {
    const binaries = findEmbedded(DEFAULT_MAJOR, process.cwd());
    if (!binaries) throw new Error("the binaries from npm are not installed");
    privateFolder = createPrivateFolder(process.env);
    const { path } = privateFolder;
    server = await startServer({ binaries, superuser: "postgres", disguised: true, folder: path, env: process.env });
    const url = server.url("postgres");
    engine = await startEngine(
      ["postgres:17-alpine"],
      async ({ POSTGRES_USER, POSTGRES_PASSWORD }) => {
        const inspector = new pg.Client(url);
        await inspector.connect();
        const user = pg.escapeIdentifier(POSTGRES_USER ?? "");
        await inspector.query(
          `CREATE ROLE ${user} LOGIN SUPERUSER PASSWORD ${pg.escapeLiteral(POSTGRES_PASSWORD ?? "")}`,
        );
        await inspector.end();
      },
      join(path, ".s.PGSQL.5432"),
    );
    env.DOCKER_HOST = engine.url;
    // testcontainers reads the environment of the process.
    for (const [name, value] of Object.entries({ ...env, TESTCONTAINERS_RYUK_DISABLED: "true", HOME: path })) {
      vi.stubEnv(name, value);
    }
  });
  afterAll(async () => {
    engine.close();
    await server.stop();
    await privateFolder.remove();
    vi.unstubAllEnvs();
  });

  test("logs in with a token, and leaves no container behind", async () => {
    const lines: string[] = [];
    const lakebase = await startLocalLakebase({ env, log: (line) => lines.push(line) });
    expect(lines).toEqual([
      expect.stringMatching(/^local Lakebase: Postgres 17\.\d+ \(container of postgres:17-alpine\)$/),
    ]);
    const password = await credential(lakebase);
    const owner = await openClient(lakebase, { password });
    const { rows } = await owner.query("SELECT current_user AS name, current_setting('neon.lakebase_mode') AS mode");
    expect(rows).toEqual([{ name: lakebase.servicePrincipal.clientId, mode: "on" }]);
    await owner.end();
    expect(await refusal(lakebase, { password, host: lakebase.readOnlyHost })).not.toHaveProperty("accepted");
    expect(engine.commands).toEqual([["sh", "-c", expect.stringContaining("pg_basebackup"), "cloud_admin"]]);
    expect(engine.running()).toBe(1);
    await lakebase.close();
    expect(engine.running()).toBe(0);
  });

  test("puts into the container what the image needs to look like Lakebase", () => {
    const [creation] = engine.creations;
    expect(creation?.Env).toContain("POSTGRES_INITDB_ARGS=--encoding=UTF8 --locale=C --no-sync");
    expect(Object.keys(creation?.ExposedPorts ?? {})).toEqual(["5432/tcp", "5433/tcp"]);
    const script = engine.file("docker-entrypoint-initdb.d/local-lakebase.sh");
    expect(script.mode).toBe(0o755);
    expect(script.text).toMatch(/^cp "\$\(pg_config --pkglibdir\)\/tcn\.so" \S+\/neon\.so$/m);
    expect(script.text).toContain("shared_preload_libraries = 'neon,pg_stat_statements,databricks_auth'");
    const extension = engine.file("usr/local/share/postgresql/extension/databricks_auth.control");
    expect(extension).toEqual({ text: expect.stringContaining("default_version = '1.0'"), mode: 0o644 });
  });

  test("says which image could not be had", async () => {
    await expect(startLocalLakebase({ env, postgres: 16, log: () => {} })).rejects.toThrow(
      /^postgres:16-alpine could not be started by the Docker engine at tcp:\/\/127\.0\.0\.1:\d+: .*no route to the registry/,
    );
    expect(engine.running()).toBe(0);
  });

  test("is the last place where a Postgres is looked for", async () => {
    // No machine has this version, and the engine does not have it either.
    const major = 99 as PostgresMajor;
    const places = { major, superuser: "postgres", disguised: true, folder, cwd: folder };
    const provide = (more: Record<string, string>) => providePostgres({ ...places, env: { ...more, PATH: "" } });
    await expect(provide({ DOCKER_HOST: engine.url })).rejects.toThrow(
      /^No Postgres 99 was found \(looked for: npm binaries, .* a container: postgres:99-alpine could not be started/,
    );
    await expect(provide({ DOCKER_HOST: "unix:///nonexistent" })).rejects.toThrow(
      /a container: no Docker engine answers .*LAKEBASE_TEST_PG_URL/,
    );
  });

  test("is not tried where there is no engine", async () => {
    const start = startLocalLakebase({ env: { ...env, DOCKER_HOST: "unix:///nonexistent" }, log: () => {} });
    await expect(start).rejects.toThrow(/^no Docker engine answers \(DOCKER_HOST: .*ENOENT/);
  });
});
