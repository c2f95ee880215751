import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createAuthority } from "./certificate.ts";

const authority = createAuthority("Test CA");
const root = new X509Certificate(authority.pem);

test("makes an authority that may sign, and says so", () => {
  expect(root.ca).toBe(true);
  expect(root.verify(root.publicKey)).toBe(true);
  expect(root.subject).toBe("CN=Test CA");
});

test("signs certificates for names, wildcards and addresses", () => {
  const { cert, key } = authority.issue({ names: ["*.database.cloud.databricks.com", "localhost", "127.0.0.1"] });
  const leaf = new X509Certificate(cert);
  expect(leaf.verify(root.publicKey)).toBe(true);
  expect(leaf.checkIssued(root)).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(leaf.checkHost("instance-1.database.cloud.databricks.com")).toBeTruthy();
  expect(leaf.checkHost("a.b.database.cloud.databricks.com")).toBeUndefined();
  expect(leaf.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
});

test("dates a certificate as it is told", () => {
  const notAfter = new Date("2020-01-31T12:00:00Z");
  const { cert } = authority.issue({ names: ["localhost"], notBefore: new Date("2020-01-01T00:00:00Z"), notAfter });
  expect(new Date(new X509Certificate(cert).validTo)).toEqual(notAfter);
});
