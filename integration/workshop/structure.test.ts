import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "rolldown/utils";
import { describe, expect, test } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** The rooms of packages/core/src, lowest floor first. A new file gets its place here, or this test fails. */
const coreFloors: readonly (readonly string[])[] = [
  ["clock.ts", "deadline.ts", "error-chain.ts", "errors.ts", "events.ts", "secret.ts", "version.ts"],
  [
    "application-name.ts",
    "config.ts",
    "config/*",
    "connection-string.ts",
    "expiry.ts",
    "host.ts",
    "login-errors.ts",
    "options.ts",
    "target.ts",
    "workspace-auth.ts",
  ],
  [
    "detect.ts",
    "detection-probe.ts",
    "host-search.ts",
    "http.ts",
    "identity/*",
    "target-lookup.ts",
    "tls.ts",
    "workspace.ts",
  ],
  ["target-book.ts", "token-cache.ts"],
  ["driver-options.ts", "handle.ts", "lakebase.ts", "login.ts"],
  ["users.ts", "users/*"],
  ["pg/*", "postgres-js/*"],
];
/** The two lowest floors are pure: no network, no files, no time but the one they are given. */
const pureFloors = 2;
const builtinsOfPureFloors = ["node:diagnostics_channel"];
/** The only rooms that may look at the real clock, and at the environment. */
const clockRoom = "clock.ts";
const environmentRoom = "config.ts";

/** What a package of its own kind has instead of the adapters' contract. */
const notAdapters = ["core", "local", "cli", "connector"];

const packages = readdirSync(join(repository, "packages"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

describe("every package", () => {
  test.each(packages)("%s has the outline of the house", (folder) => {
    const names = readdirSync(join(repository, "packages", folder)).filter((name) => !ignored.has(name));
    expect(names.sort()).toEqual([
      "README.md",
      "package.json",
      "src",
      "test",
      "tsconfig.build.json",
      "tsconfig.json",
      "tsdown.config.ts",
    ]);
  });

  test.each(packages)("%s is named after its folder", (folder) => {
    expect(manifest(`packages/${folder}`).name).toBe(`@x/lakebase-${folder}`);
  });

  test("has a version, a licence and a Node floor that are the same for all", () => {
    const common = packages.map((folder) => {
      const { version, license, engines, publishConfig } = manifest(`packages/${folder}`);
      return { version, license, engines, publishConfig };
    });
    expect(common).toEqual(common.map(() => common[0]));
  });

  test("is released together with all the others", () => {
    const published = packages.filter((folder) => manifest(`packages/${folder}`).private !== true);
    expect(JSON.parse(read(".changeset/config.json")).fixed).toEqual([
      published.map((folder) => `@x/lakebase-${folder}`),
    ]);
  });

  test.each(packages.filter((folder) => !notAdapters.includes(folder)))(
    "%s, an adapter, fulfils the contract",
    (folder) => {
      expect(files("integration/contract/adapters", ".test.ts")).toContain(
        `integration/contract/adapters/${folder}.test.ts`,
      );
    },
  );

  test("imports nothing from integration, nor the local Lakebase unless it is its own package", () => {
    const offences = publishedSources()
      .filter((file) => !file.startsWith("packages/local/"))
      .flatMap((file) => requests(file).map((request) => ({ file, request })))
      .filter(({ file, request }) => request.includes("lakebase-local") || leavesPackage(file, request));
    expect(offences).toEqual([]);
  });

  test("imports from other packages only core and its entries", () => {
    const offences = publishedSources()
      .flatMap((file) => requests(file).map((request) => ({ file, request })))
      .filter(({ request }) => request.startsWith("@x/") && !/^@x\/lakebase-core(\/|$)/.test(request));
    expect(offences).toEqual([]);
  });
});

describe("core", () => {
  const rooms = publishedSources("packages/core").map((file) => relative("packages/core/src", file));
  const entries = rooms.filter((room) => Object.values(coreEntries()).includes(room));
  const upstairs = rooms.filter((room) => !entries.includes(room));

  test("has no file without a floor", () => {
    expect(upstairs.filter((room) => floorOf(room) === -1)).toEqual([]);
  });

  test("never imports upwards", () => {
    const offences = upstairs.flatMap((room) =>
      neighbours(room)
        .filter((other) => floorOf(other) > floorOf(room))
        .map((other) => `${room} (floor ${floorOf(room)}) imports ${other} (floor ${floorOf(other)})`),
    );
    expect(offences).toEqual([]);
  });

  test("never imports an entry", () => {
    const offences = rooms.flatMap((room) =>
      neighbours(room)
        .filter((other) => entries.includes(other))
        .map((other) => `${room} imports ${other}`),
    );
    expect(offences).toEqual([]);
  });

  test("never imports in a circle", () => {
    expect(circles(upstairs)).toEqual([]);
  });

  test("keeps its entries to names: re-exports, no logic, no `export *`", () => {
    const offences = entries.flatMap((room) => {
      const { program } = parse(`packages/core/src/${room}`);
      return program.body
        .filter((node) => node.type !== "ExportNamedDeclaration" || !node.source)
        .map((node) => `${room}: ${node.type}`);
    });
    expect(offences).toEqual([]);
  });

  test("keeps the lower floors free of Node's modules", () => {
    const offences = upstairs
      .filter((room) => floorOf(room) < pureFloors)
      .flatMap((room) => requests(`packages/core/src/${room}`).map((request) => ({ room, request })))
      .filter(({ request }) => !request.startsWith(".") && !builtinsOfPureFloors.includes(request));
    expect(offences).toEqual([]);
  });

  test("looks at the real time in one file", () => {
    const offences = upstairs.filter(
      (room) =>
        room !== clockRoom && /\b(Date|performance)\.now\(|new Date\(\)/.test(code(`packages/core/src/${room}`)),
    );
    expect(offences).toEqual([]);
  });

  test("reads the environment in one file", () => {
    const offences = rooms.filter(
      (room) => room !== environmentRoom && /\bprocess\.env\b/.test(code(`packages/core/src/${room}`)),
    );
    expect(offences).toEqual([]);
  });

  test("explains every error code in docs/errors.md", () => {
    const codes = new Set(code("packages/core/src/errors.ts").match(/\bERR_LAKEBASE_[A-Z_]+\b/g));
    const headings = new Set(read("docs/errors.md").match(/(?<=^#+ .*)\bERR_LAKEBASE_[A-Z_]+\b/gm));
    expect(codes.size).toBeGreaterThan(0);
    expect([...headings].sort()).toEqual([...codes].sort());
  });
});

describe("the repository", () => {
  test("has no drawer for odds and ends", () => {
    const drawers = sources().filter((file) => /^(utils?|helpers?|common|types|misc|shared)\b/.test(basename(file)));
    expect(drawers).toEqual([]);
  });

  test("names its files with kebab-case nouns", () => {
    expect(
      sources().filter(
        (file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|bench|config|base))?(\.d)?\.[cm]?ts$/.test(basename(file)),
      ),
    ).toEqual([]);
  });

  test("runs every test: none is singled out, none is switched off", () => {
    const offences = sources()
      .filter((file) => file.endsWith(".test.ts"))
      .flatMap((file) =>
        [...code(file).matchAll(/\b(?:test|it|describe)(?:\.\w+)*\.(?:only|skip|todo)\b|\bx(?:it|describe)\(/g)].map(
          ([call]) => `${file}: ${call}`,
        ),
      );
    expect(offences).toEqual([]);
  });

  test("never mocks a module", () => {
    expect(sources().filter((file) => /\bvi\.(mock|doMock)\(/.test(code(file)))).toEqual([]);
  });

  test("pins every version in the catalog exactly", () => {
    const catalog = /^catalog:\n((?: {2}.*\n)+)/m.exec(read("pnpm-workspace.yaml"))?.[1]?.trimEnd().split("\n") ?? [];
    expect(catalog.length).toBeGreaterThan(0);
    expect(catalog.filter((line) => !/^ {2}\S+: \d+\.\d+\.\d+(-[\w.]+)?$/.test(line))).toEqual([]);
  });

  test("takes what packages share from the catalog", () => {
    const offences = ["", "integration", "integration/demo", ...packages.map((folder) => `packages/${folder}`)].flatMap(
      (folder) => {
        const { dependencies, devDependencies } = manifest(folder);
        return Object.entries({ ...dependencies, ...devDependencies })
          .filter(([, range]) => range !== "catalog:" && range !== "workspace:^")
          .map(([name, range]) => `${folder}: ${name} ${range}`);
      },
    );
    expect(offences).toEqual([]);
  });

  test("has a lock file that installs from any registry", () => {
    expect(read("pnpm-lock.yaml").match(/.*(https?:\/\/|tarball:).*/g) ?? []).toEqual([]);
  });
});

const ignored = new Set(["node_modules", "dist", ".turbo", "coverage", "CHANGELOG.md"]);

function read(path: string): string {
  return readFileSync(join(repository, path), "utf8");
}

function manifest(folder: string) {
  return JSON.parse(read(join(folder, "package.json")));
}

function files(folder: string, ending: string): string[] {
  return readdirSync(join(repository, folder), { withFileTypes: true })
    .filter((entry) => !ignored.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return files(path, ending);
      return path.endsWith(ending) ? [path] : [];
    });
}

function sources(): string[] {
  return [...files("packages", "ts"), ...files("integration", "ts")];
}

function publishedSources(...folders: string[]): string[] {
  const all = folders.length > 0 ? folders : packages.map((folder) => `packages/${folder}`);
  return all.flatMap((folder) => files(join(folder, "src"), ".ts")).filter((file) => !file.endsWith(".test.ts"));
}

function parse(path: string) {
  return parseSync(path, read(path));
}

/** The text of a file without its comments, which may speak of anything. */
function code(path: string): string {
  const text = read(path);
  return parse(path).comments.reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), text);
}

/** What a file imports, types included. */
function requests(path: string): string[] {
  return [...requestsAtOnce(path), ...requestsOnFirstUse(path)];
}

function requestsOnFirstUse(path: string): string[] {
  const text = read(path);
  return parse(path).module.dynamicImports.map(({ moduleRequest }) =>
    text.slice(moduleRequest.start + 1, moduleRequest.end - 1),
  );
}

function requestsAtOnce(path: string): string[] {
  const { module } = parse(path);
  return [
    ...module.staticImports.map((found) => found.moduleRequest.value),
    ...module.staticExports.flatMap((found) =>
      found.entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
    ),
  ];
}

function leavesPackage(file: string, request: string): boolean {
  if (!request.startsWith(".")) return false;
  const home = file.split("/").slice(0, 2).join("/");
  return !relative(home, join(dirname(file), request)).startsWith("src/");
}

/** The rooms of core that a room imports. */
function neighbours(room: string, found = requests): string[] {
  const base = resolve("/", dirname(room));
  return found(`packages/core/src/${room}`)
    .filter((request) => request.startsWith("."))
    .map((request) => relative("/", resolve(base, request)));
}

function floorOf(room: string): number {
  return coreFloors.findIndex((floor) => floor.includes(room) || floor.includes(`${dirname(room)}/*`));
}

/** Entry names and the source files behind them, from the build's own list of entries. */
function coreEntries(): Record<string, string> {
  const names = Object.keys(manifest("packages/core").exports).filter((name) => name !== "./package.json");
  return Object.fromEntries(names.map((name) => [name, name === "." ? "index.ts" : `${name.slice(2)}.ts`]));
}

/** Circles among what is loaded at once; a room that is loaded on first use may know the types of the one that loads it. */
function circles(rooms: string[]): string[] {
  const finished = new Set<string>();
  const found: string[] = [];
  const walk = (room: string, path: string[]) => {
    if (path.includes(room)) found.push([...path.slice(path.indexOf(room)), room].join(" > "));
    else if (!finished.has(room)) {
      for (const other of neighbours(room, requestsAtOnce)) walk(other, [...path, room]);
      finished.add(room);
    }
  };
  for (const room of rooms) walk(room, []);
  return found;
}
