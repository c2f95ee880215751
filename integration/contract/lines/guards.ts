import { expect, test } from "vitest";
import { errorLinks } from "../error-links.ts";
import { rejection, thrown, type World } from "../world.ts";

export function guardLines(world: World): void {
  /** Nothing has reached the workspace, and nothing secret has reached Postgres. */
  const nothingLeft = () => {
    expect(world.requests()).toEqual([]);
    expect(world.arrivals().passwordBytes).toBe(0);
  };

  test.each(["untrusted", "wrong-name", "expired"] as const)(
    "sends nothing to a workspace whose certificate is %s",
    async (kind) => {
      world.local.faults.tls({ on: "api", kind });
      const error = await rejection(world.open({ connectTimeoutMs: 2000 }).query("select 1"));
      expect(messagesOf(error)).toMatch(/certificate/);
      nothingLeft();
      expect(world.arrivals().connections).toBe(0);
    },
  );

  test.each(["untrusted", "wrong-name", "expired"] as const)(
    "sends no password to a Postgres whose certificate is %s",
    async (kind) => {
      world.local.faults.tls({ on: "login", kind });
      await rejection(world.open().query("select 1"));
      expect(world.arrivals().connections).toBe(1);
      expect(world.arrivals().passwordBytes).toBe(0);
      expect(world.logins()).toEqual([]);
    },
  );

  test("trusts nobody but Node's own roots when no CA is named", async () => {
    const { PGSSLROOTCERT: _, ...env } = world.local.env;
    await rejection(world.open(world.options(env)).query("select 1"));
    expect(world.arrivals().passwordBytes).toBe(0);
  });

  test.each([
    ["a look-alike", "ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com.evil.example"],
    ["somebody else's", "db.example.com"],
    ["a workspace", "acme.cloud.databricks.com"],
  ])("refuses %s host before anything is minted", (_name, host) => {
    const { endpoint } = world.local;
    const error = thrown(() => world.open({ endpoint, host }));
    expect(error.code).toBe("ERR_LAKEBASE_HOST_REFUSED");
    expect(error.message).toContain("trustedHosts");
    nothingLeft();
  });

  test("refuses a pooler with tokens before anything is minted, and says why", () => {
    const { endpoint, pooledHost: host } = world.local;
    const error = thrown(() => world.open({ endpoint, host }));
    expect(error.code).toBe("ERR_LAKEBASE_HOST_REFUSED");
    expect(error.message).toMatch(/pooler.*does not accept tokens/);
    nothingLeft();
  });

  test.each(["disable", "allow", "prefer", "no-verify"])("refuses sslmode=%s in a URL and in PGSSLMODE", (mode) => {
    const { host, database } = world.local;
    const url = `postgresql://someone@${host}/${database}?sslmode=${mode}`;
    expect(thrown(() => world.open({ connectionString: url })).message).toContain(`sslmode=${mode}`);
    const env = { ...world.local.env, PGSSLMODE: mode };
    expect(thrown(() => world.open(world.options(env))).message).toContain("PGSSLMODE");
    nothingLeft();
  });

  test("refuses a workspace that is not https", () => {
    const env = { ...world.local.env, DATABRICKS_HOST: world.local.workspaceUrl.replace("https:", "http:") };
    expect(thrown(() => world.open(world.options(env))).message).toMatch(/DATABRICKS_HOST.*https/);
  });

  test("follows no redirect with a secret", async () => {
    world.local.faults.api({ on: "credential", kind: "status", status: 307 });
    const error = await rejection(world.open({ connectTimeoutMs: 1000 }).query("select 1"));
    expect(messagesOf(error)).toMatch(/redirects/);
    expect(world.requests("credential")).toHaveLength(1);
  });

  test("never lets an endpoint from the options meet PGHOST or PGUSER of the environment", async () => {
    const { endpoint, hostAddress, port, env, host, servicePrincipal } = world.local;
    const foreign = {
      ...env,
      PGHOST: "ep-other-database-a1b2c3d4.database.us-west-2.cloud.databricks.com",
      PGUSER: "somebody-else",
      PGPORT: "1",
      PGHOSTADDR: "127.0.0.9",
    };
    const app = world.open({ ...world.options(foreign), endpoint, hostAddress, port });
    const [row] = await app.query("select current_user as name");
    expect(row?.name).toBe(servicePrincipal.clientId);
    expect(world.logins().map((login) => login.host)).toEqual([host]);
  });

  test("is made with an empty environment and names all that is missing at the first login", async () => {
    const app = world.open({ env: {} });
    const error = await rejection(app.query("select 1"));
    const text = messagesOf(error);
    for (const name of ["LAKEBASE_ENDPOINT", "DATABRICKS_HOST", "DATABRICKS_CLIENT_ID", "DATABRICKS_TOKEN"]) {
      expect(text).toContain(name);
    }
    nothingLeft();
  });

  test("names every problem of bad options in one error, and opens nothing", () => {
    const { endpoint, instance } = world.local;
    const options = {
      endpoint,
      instance,
      port: 70_000,
      workspaceHost: "http://insecure.example",
      trustedHosts: ["*.example.com"],
      applicationName: "é",
      colour: "blue",
    };
    const { problems, code } = thrown(() => world.open(options));
    expect(code).toBe("ERR_LAKEBASE_CONFIG");
    expect(problems?.map(({ option }) => option).sort()).toEqual(
      ["applicationName", "colour", "instance", "port", "trustedHosts", "workspaceHost"].sort(),
    );
    nothingLeft();
  });

  test.each([
    ["password", { password: "eyJhbGciOi.eyJzdWIi.c2ln", user: "x", host: "db.example.com" }],
    ["ssl.rejectUnauthorized", { ssl: { rejectUnauthorized: false } }],
    ["nonsense", { nonsense: true }],
  ])("refuses the option %s that is unsafe or unknown", (option, bad) => {
    const error = thrown(() => world.open(bad as object));
    expect(error.code).toBe("ERR_LAKEBASE_CONFIG");
    expect(error.message).toContain(`\`${option}\``);
  });

  test("refuses the host's own options that are this library's to set, and those that cannot be", () => {
    const { refuses } = world.adapter;
    expect(Object.keys(refuses).length).toBeGreaterThan(0);
    for (const [option, value] of Object.entries(refuses)) {
      const error = thrown(() => world.open({ [option]: value } as object));
      expect(error.code, option).toBe("ERR_LAKEBASE_CONFIG");
      expect(error.message).toContain(option);
    }
  });

  test("refuses target and identity beside a handle", () => {
    const lakebase = world.handle();
    for (const extra of [{ endpoint: world.local.endpoint }, { user: "x" }, { env: {} }]) {
      expect(thrown(() => world.open({ lakebase, ...extra } as object)).code).toBe("ERR_LAKEBASE_CONFIG");
    }
  });
}

function messagesOf(error: unknown): string {
  return errorLinks(error)
    .map(({ message }) => message)
    .join("\n");
}
