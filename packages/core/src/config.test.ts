import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { whatIsMissing } from "./config/missing.ts";
import { resolveScope } from "./config/scope.ts";
import { resolveConfig } from "./config.ts";
import type { LakebaseError } from "./errors.ts";
import { personalAccessToken } from "./identity/personal-access-token.ts";
import { type LakebaseOptions, lakebaseOptionKeys } from "./options.ts";
import { isSecret } from "./secret.ts";

const endpoint = "projects/shop/branches/production/endpoints/primary";
const other = "projects/other/branches/production/endpoints/primary";
const host = "ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com";
const workspaceHost = "https://acme.cloud.databricks.com";
const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const auth = personalAccessToken("dapi0123");
const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
const environment = {
  LAKEBASE_ENDPOINT: endpoint,
  DATABRICKS_HOST: workspaceHost,
  DATABRICKS_CLIENT_ID: "app-id",
  DATABRICKS_CLIENT_SECRET: "app-secret",
};
type Environment = Record<string, string | undefined>;

function resolve(options: LakebaseOptions = {}, env: Environment = {}) {
  const config = resolveConfig({ env, ...options });
  return Object.freeze({ ...config, missing: missingFrom(config) });
}

/** With an identity that names no workspace. */
function missingFrom(config: ReturnType<typeof resolveConfig>) {
  const { identity, workspaceHost } = config;
  return whatIsMissing(config, { auth: identity.kind === "oauth" ? identity.auth : undefined, workspaceHost });
}

function refusal(options: object, env: Environment = {}): LakebaseError {
  try {
    resolve(options as LakebaseOptions, env);
  } catch (error) {
    expect(error).toMatchObject({ name: "LakebaseError", problems: expect.any(Array) });
    return error as LakebaseError;
  }
  throw new Error("was accepted");
}

const passwordOf = (config: ReturnType<typeof resolve>) =>
  config.identity.kind === "native" && isSecret(config.identity.password)
    ? config.identity.password.reveal()
    : undefined;

test("`null` for an environment is none, and not the process's", () => {
  const { environment, identity } = resolveConfig({ env: null as never });
  expect(environment()).toEqual({});
  expect(identity).toMatchObject({ environment: expect.any(Function) });
});

test("takes a number in an environment for its text", () => {
  expect(resolveConfig({ env: { PGPORT: 6543 as never } }).port).toBe(6543);
});

describe("what is chosen", () => {
  test("has defaults for all that may be left out", () => {
    expect(resolve({}, environment)).toMatchObject({
      target: { kind: "endpoint", name: endpoint },
      host: undefined,
      hostAddress: undefined,
      port: 5432,
      workspaceHost,
      ssl: { ca: undefined, minVersion: "TLSv1.2" },
      scope: {
        database: "databricks_postgres",
        applicationName: undefined,
        access: "read-write",
        connectTimeoutMs: 30_000,
      },
      credential: { ttlSeconds: undefined, claims: [] },
      missing: [],
      ignoresPassword: false,
    });
  });

  test("comes from the environment of Databricks Apps", () => {
    const config = resolve(
      {},
      {
        ...environment,
        PGHOST: host,
        PGPORT: "6543",
        PGDATABASE: "orders",
        PGUSER: "app-id",
        PGSSLMODE: "require",
        PGAPPNAME: "shop-app",
      },
    );
    expect(config).toMatchObject({
      target: { kind: "endpoint", name: endpoint },
      host,
      port: 6543,
      identity: { kind: "oauth", user: "app-id", auth: undefined },
      scope: { database: "orders", applicationName: "shop-app" },
      missing: [],
    });
  });

  test.each([["LAKEBASE_ENDPOINT"], ["LAKEBASE_AUTOSCALING_ENDPOINT"], ["PGENDPOINT"], ["ENDPOINT_NAME"]])(
    "has its endpoint from %s",
    (name) => {
      expect(resolve({}, { [name]: ` ${endpoint} ` }).target).toEqual({ kind: "endpoint", name: endpoint });
    },
  );

  test("has its endpoint from several names that agree, blank ones aside", () => {
    const env = { LAKEBASE_ENDPOINT: "  ", LAKEBASE_AUTOSCALING_ENDPOINT: endpoint, PGENDPOINT: ` ${endpoint} ` };
    expect(resolve({}, env).target).toEqual({ kind: "endpoint", name: endpoint });
  });

  test("does not take an ENDPOINT_NAME of another product for a target", () => {
    expect(resolve({}, { ENDPOINT_NAME: "my-model-endpoint" }).target).toBeUndefined();
  });

  test("has its instance from LAKEBASE_INSTANCE_NAME", () => {
    expect(resolve({}, { LAKEBASE_INSTANCE_NAME: "shop-db" }).target).toEqual({
      kind: "instance",
      name: "shop-db",
    });
  });

  test.each<[string, LakebaseOptions, Environment, object]>([
    ["endpoint", { endpoint }, { LAKEBASE_ENDPOINT: other }, { target: { name: endpoint } }],
    ["instance", { instance: "mine" }, { LAKEBASE_INSTANCE_NAME: "theirs" }, { target: { name: "mine" } }],
    ["port", { endpoint, port: 1 }, { PGPORT: "2" }, { port: 1 }],
    ["database", { database: "mine" }, { PGDATABASE: "theirs" }, { scope: { database: "mine" } }],
    ["applicationName", { applicationName: "mine" }, { PGAPPNAME: "theirs" }, { scope: { applicationName: "mine" } }],
    ["workspaceHost", { workspaceHost }, { DATABRICKS_HOST: "https://x.example" }, { workspaceHost }],
    ["user", { user: "mine" }, { PGUSER: "theirs" }, { identity: { user: "mine" } }],
    ["ssl.ca", { ssl: { ca: pem } }, { PGSSLROOTCERT: "/ca.pem" }, { ssl: { ca: { pem: [pem] } } }],
  ])("is the option `%s` before its variable", (_name, options, env, expected) => {
    expect(resolve(options, env)).toMatchObject(expected);
  });

  test("is the option `trustedHosts` before its variable", () => {
    const config = resolve({ trustedHosts: ["a.example"] }, { LAKEBASE_TRUSTED_HOSTS: "b.example" });
    expect([...config.trustedHosts]).toEqual(["a.example"]);
  });

  test("reads `process.env` only where no environment is given", () => {
    expect(resolveConfig({ env: {} }).workspaceHost).toBeUndefined();
    expect(
      missingFrom(resolveConfig({ env: {} }))
        .map(({ option }) => option)
        .sort(),
    ).toEqual(["endpoint", "workspaceHost"]);
  });

  test.each(["DATABASE_URL", "POSTGRES_URL", "PGPASSFILE", "PGSERVICE"])("never comes from %s", (name) => {
    const env = { [name]: "postgresql://evil:pw@evil.example/evil" };
    expect(resolve({}, env)).toMatchObject({
      host: undefined,
      target: undefined,
      scope: { database: "databricks_postgres" },
    });
  });

  test("is frozen, and does not change with the options it was made from", () => {
    const options = {
      endpoint,
      credential: { claims: [{ permissionSet: "READ_ONLY" as const, tables: ["a.b.c"] }] },
      ssl: { ca: [pem] },
    };
    const config = resolve(options);
    options.credential.claims.push({ permissionSet: "READ_ONLY", tables: ["x.y.z"] });
    options.ssl.ca.push("junk");
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.scope)).toBe(true);
    expect(config.credential.claims).toHaveLength(1);
    expect(config.ssl.ca).toEqual({ pem: [pem] });
  });
});

describe("groups of the environment", () => {
  const target: Environment = {
    LAKEBASE_ENDPOINT: other,
    LAKEBASE_AUTOSCALING_ENDPOINT: other,
    PGENDPOINT: other,
    ENDPOINT_NAME: other,
    LAKEBASE_INSTANCE_NAME: "other",
    PGHOST: "other.example",
    PGHOSTADDR: "10.0.0.1",
    PGPORT: "9999",
    PGUSER: "other",
    PGPASSWORD: "other",
  };
  const identity: Environment = {
    PGUSER: "service",
    DATABRICKS_HOST: "https://service.example",
    DATABRICKS_CLIENT_ID: "service",
    DATABRICKS_CLIENT_SECRET: "service",
    DATABRICKS_TOKEN: "dapi99",
    LAKEBASE_WORKSPACE_CA: "/service.pem",
  };

  test.each<[string, LakebaseOptions]>([
    ["endpoint", { endpoint }],
    ["instance", { instance: "mine" }],
    ["host", { host }],
    ["hostAddress", { hostAddress: "127.0.0.1" }],
    ["port", { port: 5432 }],
    ["connectionString", { connectionString: `postgresql://${host}` }],
  ])("the option `%s` shuts out every variable of the target, PGUSER and PGPASSWORD with it", (name, options) => {
    const config = resolve(options, target);
    expect(config).toMatchObject({
      hostAddress: options.hostAddress,
      port: 5432,
      identity: { kind: "oauth", user: undefined },
    });
    expect(config.host).toBe(name === "host" || name === "connectionString" ? host : undefined);
    expect(JSON.stringify({ ...config, missing: [] })).not.toMatch(/other/);
  });

  test("a target in the options leaves the identity of the environment", () => {
    expect(resolve({ endpoint: other }, environment)).toMatchObject({
      workspaceHost,
      identity: { auth: undefined, environment: expect.any(Function) },
      missing: [],
    });
  });

  test.each<[string, LakebaseOptions]>([
    ["auth", { auth }],
    ["user", { user: "me@acme.example" }],
    ["workspaceHost", { workspaceHost }],
    ["workspaceCa", { workspaceCa: pem }],
    ["password", { password: "native", user: "app", host: "db.example" }],
    ["a user in the connection string", { connectionString: `postgresql://me@${host}` }],
    ["a password in the connection string", { connectionString: `postgresql://me:pw@${host}` }],
  ])("`%s` shuts out every variable of the identity", (_name, options) => {
    const config = resolve(options, identity);
    expect(JSON.stringify({ ...config, missing: [] })).not.toMatch(/service/);
    expect(config.workspaceHost).toBe(options.workspaceHost);
    if (config.identity.kind !== "oauth") return;
    expect(config.identity.auth).toBe(options.auth);
    expect(config.identity.environment).toBeUndefined();
  });

  test("an identity in the options leaves the target of the environment", () => {
    expect(resolve({ auth, workspaceHost }, { ...environment, PGHOST: host })).toMatchObject({
      target: { kind: "endpoint", name: endpoint },
      host,
      missing: [],
    });
  });

  test("a user's token never meets the service's PGUSER", () => {
    expect(resolve({ auth, workspaceHost }, { ...environment, PGUSER: "service" }).identity).toMatchObject({
      kind: "oauth",
      user: undefined,
    });
  });

  test("an option that is undefined counts as left out", () => {
    expect(resolve({ endpoint: undefined, auth: undefined, user: undefined }, environment).missing).toEqual([]);
  });

  test("the rest of the options shuts out nothing", () => {
    const options: LakebaseOptions = {
      database: "x",
      connectTimeoutMs: 5,
      access: "read-only",
      ssl: {},
      trustedHosts: [],
    };
    expect(resolve(options, environment)).toMatchObject({ target: { name: endpoint }, workspaceHost, missing: [] });
  });
});

describe("what is missing", () => {
  test("is told later, all of it, with option, variable and the next step", () => {
    const missing = [...resolve().missing].sort((one, other) => other.option.localeCompare(one.option));
    expect(missing).toEqual([
      { option: "workspaceHost", variable: "DATABRICKS_HOST", message: expect.stringContaining("https://") },
      {
        option: "endpoint",
        variable: expect.stringContaining("LAKEBASE_ENDPOINT"),
        message: expect.stringContaining("projects/<project>/branches/"),
      },
    ]);
  });

  test("is an identity where the environment may not be read for one", () => {
    expect(resolve({ workspaceHost }, environment).missing).toMatchObject([
      { option: "auth", message: expect.stringContaining("clientCredentials(") },
    ]);
  });

  test("says that the environment was not read, and because of what", () => {
    const missing = resolve({ auth }, environment).missing;
    expect(missing).toMatchObject([{ option: "workspaceHost", message: expect.stringMatching(/not read.*auth/) }]);
  });

  test("says so where the user stands in a connection string", () => {
    const { missing } = resolve({ connectionString: `postgresql://me@${host}` }, environment);
    expect(missing[0]).toMatchObject({ option: "auth", message: expect.stringMatching(/not read.*connectionString/) });
  });

  test("is nothing where a Lakebase host is known: the workspace is asked what it belongs to", () => {
    expect(resolve({}, { ...environment, LAKEBASE_ENDPOINT: undefined, PGHOST: host }).missing).toEqual([]);
  });

  test("is an endpoint beside a host of one's own, which the workspace does not know", () => {
    const env = { DATABRICKS_HOST: workspaceHost, PGHOST: "db.example", LAKEBASE_TRUSTED_HOSTS: "db.example" };
    expect(resolve({}, env).missing).toMatchObject([
      { option: "endpoint", message: expect.stringContaining("beside the host") },
    ]);
  });

  test.each<[string, LakebaseOptions, Environment]>([
    ["the user of a native role", {}, { PGHOST: "db.example", PGPASSWORD: "native" }],
    ["the host of a native role", { user: "app", password: "native" }, {}],
  ])("is told later also when it is %s", (_name, options, env) => {
    expect(resolve(options, env).missing).toHaveLength(1);
  });
});

describe("what is malformed", () => {
  const long = "a".repeat(64);
  test.each<[string, object, Environment, string, string | undefined, RegExp]>([
    ["an endpoint", { endpoint: "shop" }, {}, "endpoint", undefined, /projects\/<project>/],
    [
      "an endpoint, in the environment",
      {},
      { LAKEBASE_ENDPOINT: "shop" },
      "endpoint",
      "LAKEBASE_ENDPOINT",
      /projects\/</,
    ],
    ["an endpoint, under another name", {}, { PGENDPOINT: "shop" }, "endpoint", "PGENDPOINT", /projects\/<project>/],
    ["the uid of an endpoint", { endpoint: "ep-cool-river-a1b2c3d4" }, {}, "endpoint", undefined, /primary.*no uid/],
    [
      "an endpoint that ends in its uid",
      {},
      { LAKEBASE_ENDPOINT: "projects/p/branches/b/endpoints/ep-cool-river-a1b2c3d4" },
      "endpoint",
      "LAKEBASE_ENDPOINT",
      /primary.*no uid/,
    ],
    ["an instance", { instance: "a b" }, {}, "instance", undefined, /letters, digits/],
    [
      "an endpoint as instance",
      {},
      { LAKEBASE_INSTANCE_NAME: endpoint },
      "instance",
      "LAKEBASE_INSTANCE_NAME",
      /`endpoint`/,
    ],
    ["both targets", { endpoint, instance: "shop" }, {}, "instance", undefined, /remove one/],
    [
      "both targets, in the environment",
      {},
      { LAKEBASE_ENDPOINT: endpoint, LAKEBASE_INSTANCE_NAME: "shop" },
      "instance",
      "LAKEBASE_INSTANCE_NAME",
      /LAKEBASE_ENDPOINT.*remove one/,
    ],
    ["a host with a port", { host: `${host}:5432` }, {}, "host", undefined, /without a scheme, port/],
    ["a host that is a URL", {}, { PGHOST: `https://${host}` }, "host", "PGHOST", /without a scheme/],
    ["several hosts", {}, { PGHOST: `${host},${host}` }, "host", "PGHOST", /one host name/],
    ["a socket", {}, { PGHOST: "/var/run/postgresql" }, "host", "PGHOST", /one host name/],
    ["an address", { endpoint, hostAddress: "1.2.3.4:5" }, {}, "hostAddress", undefined, /one host name/],
    ["port 0", { endpoint, port: 0 }, {}, "port", undefined, /1 to 65535/],
    ["a negative port", { endpoint, port: -1 }, {}, "port", undefined, /1 to 65535/],
    ["port 65536", { endpoint, port: 65_536 }, {}, "port", undefined, /1 to 65535/],
    ["half a port", { endpoint, port: 5432.5 }, {}, "port", undefined, /1 to 65535/],
    ["NaN", { endpoint, port: Number.NaN }, {}, "port", undefined, /1 to 65535/],
    ["a port that is null", { endpoint, port: null }, {}, "port", undefined, /1 to 65535/],
    ["a port in words", {}, { PGPORT: "five" }, "port", "PGPORT", /1 to 65535/],
    ["a port with an exponent", {}, { PGPORT: "1e3" }, "port", "PGPORT", /1 to 65535/],
    ["a workspace over http", { workspaceHost: "http://acme.example" }, {}, "workspaceHost", undefined, /https/],
    [
      "a workspace over http, in the environment",
      {},
      { DATABRICKS_HOST: "http://localhost" },
      "workspaceHost",
      "DATABRICKS_HOST",
      /https/,
    ],
    ["a workspace over ftp", { workspaceHost: "ftp://acme.example" }, {}, "workspaceHost", undefined, /https/],
    [
      "a workspace with half a scheme",
      { workspaceHost: "https:/acme.example" },
      {},
      "workspaceHost",
      undefined,
      /https:\/\//,
    ],
    ["a workspace that is no address", { workspaceHost: "https://" }, {}, "workspaceHost", undefined, /https:\/\//],
    [
      "a workspace with a password",
      { workspaceHost: "https://a:b@acme.example" },
      {},
      "workspaceHost",
      undefined,
      /https:\/\//,
    ],
    ["an empty option", { endpoint: " " }, {}, "endpoint", undefined, /not empty/],
    ["an option of another type", { endpoint: 5 }, {}, "endpoint", undefined, /string/],
    ["a user with a NUL", { user: "a\0database\0evil" }, {}, "user", undefined, /control/],
    ["a user with a line break", {}, { PGUSER: "a\nb" }, "user", "PGUSER", /control/],
    ["a database with a NUL", { database: "a\0user\0postgres" }, {}, "database", "PGDATABASE", /control/],
    ["an empty database", { database: "" }, {}, "database", undefined, /empty/],
    ["a name that is too long", { applicationName: long }, {}, "applicationName", undefined, /64 bytes/],
    [
      "a name that is too long, in the environment",
      {},
      { PGAPPNAME: long },
      "applicationName",
      "PGAPPNAME",
      /64 bytes/,
    ],
    ["a name in part", { applicationName: { product: "x" } }, {}, "applicationName", undefined, /isv/],
    ["an access", { access: "readonly" }, {}, "access", undefined, /"read-only"/],
    ["no time", { connectTimeoutMs: 0 }, {}, "connectTimeoutMs", undefined, /from 1/],
    ["time without end", { connectTimeoutMs: Number.POSITIVE_INFINITY }, {}, "connectTimeoutMs", undefined, /from 1/],
    ["more time than a timer can take", { connectTimeoutMs: 2 ** 31 }, {}, "connectTimeoutMs", undefined, /2147483647/],
    ["an identity", { auth: { kind: "x" } }, {}, "auth", undefined, /clientCredentials/],
    ["an identity that is a token", { auth: jwt }, {}, "auth", undefined, /personalAccessToken/],
    [
      "an identity beside a password",
      { auth, password: "x", user: "app", host: "db.example" },
      {},
      "auth",
      undefined,
      /remove one/,
    ],
    [
      "a PAT as password",
      { password: "dapi0123456789abcdef", user: "app", host },
      {},
      "password",
      undefined,
      /personalAccessToken/,
    ],
    ["a token as password", { password: jwt, user: "app", host }, {}, "password", undefined, /OAuth token/],
    [
      "a PAT as PGPASSWORD",
      {},
      { PGHOST: host, PGUSER: "app", PGPASSWORD: "dapi01" },
      "password",
      "PGPASSWORD",
      /DATABRICKS_TOKEN/,
    ],
    [
      "a token as PGPASSWORD",
      {},
      { PGHOST: host, PGUSER: "app", PGPASSWORD: jwt },
      "password",
      "PGPASSWORD",
      /OAuth token/,
    ],
    [
      "a token in the connection string",
      { connectionString: `postgresql://app:${jwt}@${host}` },
      {},
      "connectionString (password)",
      undefined,
      /OAuth token/,
    ],
    ["an empty password", { password: "", user: "app", host }, {}, "password", undefined, /empty/],
    ["a CA that is a path", { workspaceCa: "/ca.pem" }, {}, "workspaceCa", undefined, /LAKEBASE_WORKSPACE_CA/],
    ["a CA of Postgres that is a path", { ssl: { ca: "/ca.pem" } }, {}, "ssl.ca", undefined, /PGSSLROOTCERT/],
    ["no CA at all", { ssl: { ca: [] } }, {}, "ssl.ca", undefined, /PEM/],
    ["a CA for a fetch of one's own", { workspaceCa: pem, fetch }, {}, "workspaceCa", undefined, /fetch/],
    ["TLS switched off", { ssl: false }, {}, "ssl", undefined, /always verified/],
    ["TLS by word", { ssl: "require" }, {}, "ssl", undefined, /always verified/],
    [
      "TLS not verified",
      { ssl: { rejectUnauthorized: false } },
      {},
      "ssl.rejectUnauthorized",
      undefined,
      /always verified/,
    ],
    [
      "a check of the name of one's own",
      { ssl: { checkServerIdentity: () => {} } },
      {},
      "ssl.checkServerIdentity",
      undefined,
      /always/,
    ],
    ["old TLS", { ssl: { minVersion: "TLSv1.1" } }, {}, "ssl.minVersion", undefined, /TLSv1.2/],
    ["PGSSLMODE", {}, { PGSSLMODE: "prefer" }, "ssl", "PGSSLMODE", /refused.*verify-full/],
    [
      "sslmode",
      { connectionString: `postgresql://${host}?sslmode=disable` },
      {},
      "connectionString",
      undefined,
      /refused.*verify-full/,
    ],
    ["a wildcard", { endpoint, trustedHosts: ["*.example"] }, {}, "trustedHosts", "LAKEBASE_TRUSTED_HOSTS", /exact/],
    [
      "a wildcard for a known host",
      { endpoint, host, trustedHosts: ["*.example"] },
      {},
      "trustedHosts",
      "LAKEBASE_TRUSTED_HOSTS",
      /exact/,
    ],
    [
      "a trusted host with a port",
      { host, trustedHosts: ["a.example:5432"] },
      {},
      "trustedHosts",
      "LAKEBASE_TRUSTED_HOSTS",
      /ports/,
    ],
    [
      "trusted hosts by word",
      { endpoint, trustedHosts: "a.example" },
      {},
      "trustedHosts",
      "LAKEBASE_TRUSTED_HOSTS",
      /exact/,
    ],
    ["a life that is too short", { credential: { ttlSeconds: 299 } }, {}, "credential.ttlSeconds", undefined, /300/],
    ["a life that is too long", { credential: { ttlSeconds: 3601 } }, {}, "credential.ttlSeconds", undefined, /3600/],
    [
      "the life of an instance's token",
      { instance: "shop", credential: { ttlSeconds: 600 } },
      {},
      "credential.ttlSeconds",
      undefined,
      /instance/,
    ],
    [
      "a claim",
      { credential: { claims: [{ permissionSet: "READ_WRITE", tables: [] }] } },
      {},
      "credential.claims",
      undefined,
      /READ_ONLY/,
    ],
    [
      "a claim on something else than names",
      { credential: { claims: [{ permissionSet: "READ_ONLY", tables: [5] }] } },
      {},
      "credential.claims",
      undefined,
      /string/,
    ],
    ["a claim that is null", { credential: { claims: [null] } }, {}, "credential.claims", undefined, /READ_ONLY/],
    ["a part of a credential", { credential: { ttl: 5 } }, {}, "credential.ttl", undefined, /not an option/],
    ["a listener", { onEvent: "log" }, {}, "onEvent", undefined, /function/],
    ["a fetch", { fetch: {} }, {}, "fetch", undefined, /function/],
    ["a clock", { clock: Date.now }, {}, "clock", undefined, /now/],
    ["an option that is unknown", { hostname: host }, {}, "hostname", undefined, /not an option/],
    ["an option that every object has", { constructor: "x" }, {}, "constructor", undefined, /^is not an option$/],
    ["a read-write host for reading only", { ...{ host, access: "read-only" } }, {}, "host", undefined, /read-only/],
  ])("is told at once: %s", (_name, options, env, option, variable, message) => {
    const { problems = [], code } = refusal(options, env);
    expect(code).toBe("ERR_LAKEBASE_CONFIG");
    expect(problems).toHaveLength(1);
    expect(problems[0]).toEqual({ option, ...(variable ? { variable } : {}), message: expect.stringMatching(message) });
  });

  test("is told together, each with its option", () => {
    const error = refusal(
      { endpoint: "x", applicationName: "é", access: "both", hostname: "y", ssl: { rejectUnauthorized: false } },
      { DATABRICKS_HOST: "http://acme.example", PGSSLMODE: "disable" },
    );
    expect(error.code).toBe("ERR_LAKEBASE_CONFIG");
    expect(error.problems?.map(({ option }) => option).sort()).toEqual(
      ["access", "applicationName", "endpoint", "hostname", "ssl", "ssl.rejectUnauthorized", "workspaceHost"].sort(),
    );
    for (const { option, message } of error.problems ?? []) {
      expect(error.message).toContain(`\`${option}\``);
      expect(error.message).toContain(message);
    }
    expect(error.message).toContain("environment: PGSSLMODE");
  });

  test("is never quoted where it may be a secret", () => {
    const canary = "s3cret-canary";
    for (const options of [
      { connectionString: `postgresql://app:${canary}@bad host/x` },
      { connectionString: `postgresql://app:${canary}%zz@${host}/x` },
      { connectionString: canary },
      { password: `dapi0${canary}`, user: "app", host },
      { auth: canary },
      { workspaceHost: `https://u:${canary}@acme.example` },
    ]) {
      const error = refusal(options);
      expect(error.message + JSON.stringify(error)).not.toContain(canary);
    }
  });
});

describe("a connection string", () => {
  const connectionString = `postgresql://app%40acme.example@${host}:6543/orders?application_name=acme+lakebase&hostaddr=10.0.0.1`;

  test("counts as its parts", () => {
    expect(resolve({ connectionString })).toMatchObject({
      host,
      port: 6543,
      hostAddress: "10.0.0.1",
      identity: { kind: "oauth", user: "app@acme.example" },
      scope: { database: "orders", applicationName: "acme+lakebase" },
    });
  });

  test("may say the same as an option", () => {
    const options = {
      host: host.toUpperCase(),
      port: 6543,
      database: "orders",
      user: "app@acme.example",
      hostAddress: "10.0.0.1",
    };
    expect(resolve({ connectionString, ...options, applicationName: "acme+lakebase" }).host).toBe(host);
  });

  test.each([
    ["host", "other.example"],
    ["port", 1],
    ["hostAddress", "10.0.0.2"],
    ["database", "other"],
    ["user", "other"],
    ["applicationName", "other"],
  ])("may not clash with `%s`", (option, value) => {
    const { problems } = refusal({ connectionString, [option]: value });
    expect(problems?.map((problem) => problem.option)).toContain(option);
  });

  test("may not clash with `password`", () => {
    const options = { connectionString: `postgresql://app:one@${host}`, password: "two" };
    expect(refusal(options).problems).toMatchObject([{ option: "password" }]);
  });

  test("names an endpoint's host beside the endpoint", () => {
    expect(resolve({ endpoint, connectionString: `postgresql://${host}` })).toMatchObject({
      target: { name: endpoint },
      host,
    });
  });

  test("with a password means a native role, and no workspace is needed", () => {
    const config = resolve({ connectionString: "postgresql://app:p%40ss@db.example/orders" });
    expect(config).toMatchObject({ host: "db.example", identity: { kind: "native", user: "app" }, missing: [] });
    expect(passwordOf(config)).toBe("p@ss");
  });
});

describe("passwords of native roles", () => {
  test("count from PGPASSWORD where the target is a bare host, with the spaces they have", () => {
    const config = resolve({}, { PGHOST: "db.example", PGUSER: "app", PGPASSWORD: " native " });
    expect(config.missing).toEqual([]);
    expect(passwordOf(config)).toBe(" native ");
  });

  test("keep their spaces as an option too", () => {
    expect(passwordOf(resolve({ host: "db.example", user: "app", password: " native " }))).toBe(" native ");
  });

  test.each<[string, LakebaseOptions, Environment]>([
    ["an endpoint", {}, { ...environment, PGPASSWORD: "native" }],
    ["an endpoint and a host", {}, { ...environment, PGHOST: host, PGPASSWORD: "native" }],
    ["an endpoint in the options", { endpoint }, { PGPASSWORD: "native" }],
    ["an instance", {}, { LAKEBASE_INSTANCE_NAME: "shop", PGPASSWORD: "native" }],
  ])("are ignored, and told, beside %s", (_name, options, env) => {
    const config = resolve(options, env);
    expect(config.identity.kind).toBe("oauth");
    expect(config.ignoresPassword).toBe(true);
  });

  test("do not count beside an identity in the options", () => {
    expect(resolve({ auth, workspaceHost }, { PGHOST: host, PGUSER: "app", PGPASSWORD: "x" }).identity.kind).toBe(
      "oauth",
    );
  });

  test("do not count where they are empty", () => {
    expect(resolve({}, { PGHOST: host, PGPASSWORD: "" }).identity.kind).toBe("oauth");
  });

  test("may come from a function, which is not called", () => {
    const password = () => {
      throw new Error("called");
    };
    expect(resolve({ host: "db.example", user: "app", password }).identity).toEqual({
      kind: "native",
      user: "app",
      password,
    });
  });

  test("let any host be reached: nothing but the password goes there", () => {
    expect(resolve({ host: "db.example", user: "app", password: "x" })).toMatchObject({
      host: "db.example",
      missing: [],
    });
    const pooler = host.replace(".database", "-pooler.database");
    expect(resolve({ host: pooler, user: "app", password: "x" }).host).toBe(pooler);
  });
});

describe("the guard of hosts", () => {
  test.each([
    ["a stranger", "db.example", /trustedHosts.*LAKEBASE_TRUSTED_HOSTS/],
    ["this machine", "localhost", /trustedHosts/],
    ["an address", "10.0.0.1", /trustedHosts/],
    ["the workspace", "acme.cloud.databricks.com", /trustedHosts/],
    ["a look-alike at the end", `${host}.evil.example`, /trustedHosts/],
    ["a look-alike at the start", `evil.${host}`, /trustedHosts/],
    ["a look-alike in between", host.replace("cloud.", "cl0ud."), /trustedHosts/],
    ["Neon", "ep-cool-river-a1b2c3d4.us-east-2.aws.neon.tech", /trustedHosts/],
    ["a pooler", host.replace(".database", "-pooler.database"), /pooler.*without -pooler/],
  ])("refuses %s, with a code of its own", (_name, name, message) => {
    for (const [options, env, variable] of [
      [{ endpoint, host: name }, {}, undefined],
      [{ host: name }, {}, undefined],
      [{}, { ...environment, PGHOST: name }, "PGHOST"],
    ] as const) {
      const error = refusal(options, env);
      expect(error.code).toBe("ERR_LAKEBASE_HOST_REFUSED");
      expect(error.problems).toEqual([
        { option: "host", ...(variable ? { variable } : {}), message: expect.stringMatching(message) },
      ]);
    }
    const error = refusal({ endpoint, connectionString: `postgresql://${name}` });
    expect(error.code).toBe("ERR_LAKEBASE_HOST_REFUSED");
  });

  test("has the code of the configuration when something else is wrong too", () => {
    expect(refusal({ host: "db.example", port: 0 })).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", problems: [{}, {}] });
  });

  test.each([
    ["as it is written", ["db.example"], "db.example"],
    ["in another case, with a dot", ["DB.Example."], "db.example"],
    ["as one of several", ["a.example", "db.example"], "DB.EXAMPLE"],
  ])("lets a trusted host pass %s", (_name, trustedHosts, name) => {
    expect(resolve({ endpoint, host: name, trustedHosts }).host).toBe("db.example");
  });

  test.each([
    ["above", "example"],
    ["below", "x.db.example"],
    ["beside", "xdb.example"],
  ])("lets no host pass that stands %s the trusted one", (_name, name) => {
    expect(refusal({ endpoint, host: name, trustedHosts: ["db.example"] }).code).toBe("ERR_LAKEBASE_HOST_REFUSED");
  });

  test("reads LAKEBASE_TRUSTED_HOSTS by commas", () => {
    const env = { ...environment, PGHOST: "db.example", LAKEBASE_TRUSTED_HOSTS: " a.example , db.example" };
    expect(resolve({}, env).host).toBe("db.example");
  });

  test("trusts no pooler, though it is named", () => {
    const pooler = host.replace(".database", "-pooler.database");
    expect(refusal({ endpoint, host: pooler, trustedHosts: [pooler] }).code).toBe("ERR_LAKEBASE_HOST_REFUSED");
  });
});

describe("workspaceHost", () => {
  test.each([
    ["https://acme.cloud.databricks.com/", workspaceHost],
    ["acme.cloud.databricks.com", workspaceHost],
    ["https://ACME.cloud.databricks.com/some/path?o=1", workspaceHost],
    ["localhost:8443", "https://localhost:8443"],
  ])("reads %s", (text, expected) => {
    expect(resolve({ workspaceHost: text }).workspaceHost).toBe(expected);
    expect(resolve({}, { DATABRICKS_HOST: text }).workspaceHost).toBe(expected);
  });

  test("is https or refused, whatever is given", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.domain(), fc.constantFrom("file:///x", "data:,x")), (text) => {
        try {
          const found = resolve({ workspaceHost: text }).workspaceHost ?? "";
          expect(new URL(found).origin).toBe(found);
          expect(found).toMatch(/^https:\/\/[^/@]+$/);
        } catch (error) {
          expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG" });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("options from strangers", () => {
  test.each([
    ['{"__proto__": {"host": "evil.example", "polluted": true}}', "__proto__"],
    ['{"constructor": {"prototype": {"polluted": true}}}', "constructor"],
    ['{"toString": "x"}', "toString"],
  ])("%s is refused and changes nothing", (json, option) => {
    expect(refusal(JSON.parse(json)).problems).toEqual([{ option, message: "is not an option" }]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test.each(["ssl", "credential", "applicationName"])("`%s` does not let a prototype through", (option) => {
    const value = JSON.parse('{"__proto__": {"isv": "evil", "minVersion": "TLSv1.0", "ttlSeconds": 1}}');
    expect(refusal({ endpoint, [option]: value }).code).toBe("ERR_LAKEBASE_CONFIG");
    expect(({} as { isv?: string }).isv).toBeUndefined();
  });

  test("are a configuration or one LakebaseError, whatever they are", () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constant(undefined),
      fc.object(),
    );
    const options = fc.dictionary(
      fc.constantFrom(...lakebaseOptionKeys.filter((key) => key !== "env"), "other"),
      value,
    );
    fc.assert(
      fc.property(options, (given) => {
        try {
          resolve(given as LakebaseOptions);
        } catch (error) {
          expect((error as LakebaseError).code).toMatch(/^ERR_LAKEBASE_(CONFIG|HOST_REFUSED)$/);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("resolveScope", () => {
  const base = resolve({ database: "orders", applicationName: "acme", connectTimeoutMs: 5 }, { PGDATABASE: "x" }).scope;

  test("puts a pool's own choices over the handle's", () => {
    expect(resolveScope(base, { database: "audit", access: "read-only" })).toEqual({
      database: "audit",
      applicationName: "acme",
      access: "read-only",
      connectTimeoutMs: 5,
    });
    expect(resolveScope(base, { database: undefined })).toEqual(base);
  });

  test("checks them like the handle's", () => {
    expect(() => resolveScope(base, { database: "a\0b", connectTimeoutMs: -1 })).toThrow(
      expect.objectContaining({ code: "ERR_LAKEBASE_CONFIG", problems: [expect.anything(), expect.anything()] }),
    );
  });
});
