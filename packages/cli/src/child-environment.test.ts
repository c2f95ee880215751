import { expect, test } from "vitest";
import { childEnvironment } from "./child-environment.ts";

const settings = {
  host: "h.example.com",
  hostAddress: undefined,
  port: 5432,
  database: "d",
  user: "u",
  password: { reveal: () => "t" },
  applicationName: "n",
  options: undefined,
  expiresAt: undefined,
} as unknown as Parameters<typeof childEnvironment>[1];
const roots = { file: "/roots.pem", extraFile: undefined };
const added = {
  PGHOST: "h.example.com",
  PGPORT: "5432",
  PGUSER: "u",
  PGDATABASE: "d",
  PGPASSWORD: "t",
  PGAPPNAME: "n",
  PGSSLMODE: "verify-full",
  PGSSLROOTCERT: "/roots.pem",
  PGGSSENCMODE: "disable",
  PGSSL: "verify-full",
  DATABASE_URL: "postgresql://u:t@h.example.com:5432/d?sslmode=verify-full&application_name=n",
};

test("adds what drivers read, and leaves the rest as it was", () => {
  const env = { HOME: "/home/ada", PGCHANNELBINDING: "prefer", PGCONNECT_TIMEOUT: "5", EMPTY: "" };
  expect(childEnvironment(env, settings, roots)).toEqual({ ...env, ...added });
});

const endpoint = "projects/p/branches/b/endpoints/e";

test.each([
  [{ PGHOST: "h.example.com" }, endpoint, { LAKEBASE_ENDPOINT: endpoint }],
  [{ ENDPOINT_NAME: "sagemaker-7", LAKEBASE_PROJECT: " " }, endpoint, { LAKEBASE_ENDPOINT: endpoint }],
  [{}, "shop", { LAKEBASE_INSTANCE_NAME: "shop" }],
  [{}, undefined, {}],
  [{ PGENDPOINT: endpoint }, endpoint, {}],
  [{ ENDPOINT_NAME: endpoint }, endpoint, {}],
  [{ LAKEBASE_PROJECT: "p" }, endpoint, {}],
  [{ LAKEBASE_AUTOSCALING_BRANCH: "projects/p/branches/b" }, endpoint, {}],
  [{ LAKEBASE_INSTANCE_NAME: "shop" }, "shop", {}],
])(
  "names the target that was found for %o, %s, where nothing else does",
  (env: Record<string, string>, target, found) => {
    expect(childEnvironment(env, { ...settings, target }, roots)).toEqual({ ...env, ...added, ...found });
  },
);

test("takes away what would lead elsewhere", () => {
  const env = {
    DATABASE_URL: "postgresql://elsewhere",
    PGHOSTADDR: "10.0.0.1",
    PGSERVICE: "elsewhere",
    PGSSLMODE: "disable",
    PGSSL: "disable",
    PGREQUIRESSL: "0",
    PGGSSENCMODE: "require",
    PGUSERNAME: "somebody",
    PGPASSWORD: "old",
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
  };
  expect(childEnvironment(env, settings, roots)).toEqual(added);
});

test("gives an address and libpq's options where there are any, and Node the roots beside its own", () => {
  const more = { ...settings, hostAddress: "10.0.0.7", options: "-c statement_timeout=5s" };
  expect(childEnvironment({}, more, { ...roots, extraFile: "/extra.pem" })).toEqual({
    ...added,
    PGHOSTADDR: "10.0.0.7",
    PGOPTIONS: "-c statement_timeout=5s",
    NODE_EXTRA_CA_CERTS: "/extra.pem",
  });
});
