import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresTls, defaultRoots, readCertificates, trustBeside } from "./tls.ts";

const root = rootCertificates[0] as string;
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "core-tls-"));
});
afterAll(() => rm(folder, { recursive: true }));

const read = (file: string) => readCertificates({ file }, "ssl.ca", "PGSSLROOTCERT");

describe("readCertificates", () => {
  test("reads a bundle from a file, and text as it is", async () => {
    const file = join(folder, "ca.pem");
    await writeFile(file, root);
    expect(await read(file)).toEqual([root]);
    expect(await readCertificates({ pem: [root] }, "ssl.ca", "PGSSLROOTCERT")).toEqual([root]);
  });

  test.each([
    ["is not there", undefined, /ENOENT/],
    ["is empty", "", /no PEM certificate/],
    ["holds words", "words", /no PEM certificate/],
    ["holds a key", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", /no PEM certificate/],
  ])("names the variable of a file that %s", async (_name, content, message) => {
    const file = join(folder, "other.pem");
    await rm(file, { force: true });
    if (content !== undefined) await writeFile(file, content);
    await expect(read(file)).rejects.toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [{ option: "ssl.ca", variable: "PGSSLROOTCERT", message: expect.stringMatching(message) }],
    });
    await expect(read(file)).rejects.not.toMatchObject({ message: expect.stringContaining("MIIB") });
  });
});

describe("createPostgresTls", () => {
  test("verifies the name it is given, with one context for all", async () => {
    const tls = await createPostgresTls([root], "TLSv1.3");
    expect(tls("a.example")).toMatchObject({
      rejectUnauthorized: true,
      servername: "a.example",
      minVersion: "TLSv1.3",
    });
    expect(tls("::1")).toMatchObject({ rejectUnauthorized: true, host: "::1" });
    expect(tls("::1")).not.toHaveProperty("servername");
    expect(tls("a.example").secureContext).toBe(tls("b.example").secureContext);
  });

  test("names the option of a certificate that does not parse", async () => {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    await expect(createPostgresTls([broken], "TLSv1.2")).rejects.toMatchObject({
      code: "ERR_LAKEBASE_CONFIG",
      problems: [{ option: "ssl.ca" }],
    });
  });
});

test("Node's own roots are there", async () => {
  expect((await defaultRoots()).length).toBeGreaterThan(50);
});

test("what is trusted beside the roots is parsed once for all who trust the same, and for nobody else", async () => {
  const other = rootCertificates[1] as string;
  const first = await trustBeside([root]);
  expect(await trustBeside([root])).toBe(first);
  expect(await trustBeside([other])).not.toBe(first);
});
