import { expect, test } from "vitest";
import { connectionUrl } from "./connection-url.ts";

const secret = (text: string) => ({ reveal: () => text });
const settings = {
  host: "ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com",
  hostAddress: "10.0.0.7",
  port: 5432,
  database: "databricks_postgres",
  user: "ada@example.com",
  password: secret("ey.token"),
  applicationName: "acme+lakebase",
  options: undefined,
  expiresAt: undefined,
} as unknown as Parameters<typeof connectionUrl>[0];

test("holds everything but what postgres.js would send to the server, and asks for verified TLS", () => {
  expect(connectionUrl(settings)).toBe(
    "postgresql://ada%40example.com:ey.token@ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com:5432/databricks_postgres?sslmode=verify-full&application_name=acme%2Blakebase",
  );
});

test("encodes what would end a part of it", () => {
  const url = connectionUrl({
    ...settings,
    user: "a:b/c",
    password: secret("p@ss/w?rd#%"),
    database: "x y?z#ä",
    host: "::1",
  });
  expect(url).toContain("postgresql://a%3Ab%2Fc:p%40ss%2Fw%3Frd%23%25@[::1]:5432/x%20y%3Fz%23%C3%A4?");
});
