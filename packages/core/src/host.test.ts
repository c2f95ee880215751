import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hostProblem, isLakebaseHost, normalizeHost, parseLakebaseHost } from "./host.ts";

const zones = [
  "cloud.databricks.com",
  "azuredatabricks.net",
  "gcp.databricks.com",
  "cloud.databricks.us",
  "databricks.azure.us",
  "databricks.azure.cn",
];
const uuid = "3f2a1b4c-0d1e-4f5a-8b6c-7d8e9f0a1b2c";

describe("parseLakebaseHost", () => {
  const ep = "ep-cool-river-a1b2c3d4";
  const [provisioned, autoscaling] = ["provisioned", "autoscaling"] as const;
  const [direct, reads, pooled, pooledReads] = [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const;
  /** Every form of name, by product and zone: name, product, cloud, region, [reads only, pooled]. */
  test.each([
    // AWS
    [`instance-${uuid}.database.cloud.databricks.com`, provisioned, "aws", undefined, direct],
    [`instance-ro-${uuid}.database.cloud.databricks.com`, provisioned, "aws", undefined, reads],
    [`instance-${uuid}-pooler.database.cloud.databricks.com`, provisioned, "aws", undefined, pooled],
    [`instance-ro-${uuid}-pooler.database.cloud.databricks.com`, provisioned, "aws", undefined, pooledReads],
    ["instance-1234.database.cloud.databricks.com", provisioned, "aws", undefined, direct],
    [`${ep}.database.us-west-2.cloud.databricks.com`, autoscaling, "aws", "us-west-2", direct],
    [`${ep}-ro.database.us-west-2.cloud.databricks.com`, autoscaling, "aws", "us-west-2", reads],
    [`${ep}-pooler.database.us-west-2.cloud.databricks.com`, autoscaling, "aws", "us-west-2", pooled],
    [`${ep}-ro-pooler.database.us-west-2.cloud.databricks.com`, autoscaling, "aws", "us-west-2", pooledReads],
    [`${ep}.database.cloud.databricks.com`, autoscaling, "aws", undefined, direct],
    // Azure
    [`instance-${uuid}.database.azuredatabricks.net`, provisioned, "azure", undefined, direct],
    [`instance-ro-${uuid}.database.azuredatabricks.net`, provisioned, "azure", undefined, reads],
    ["ep-twilight-rice-e1ipdt0o.database.eastus2.azuredatabricks.net", autoscaling, "azure", "eastus2", direct],
    ["ep-twilight-rice-e1ipdt0o-ro.database.eastus2.azuredatabricks.net", autoscaling, "azure", "eastus2", reads],
    ["ep-twilight-rice-e1ipdt0o-pooler.database.eastus2.azuredatabricks.net", autoscaling, "azure", "eastus2", pooled],
    // GCP
    [`instance-${uuid}.database.gcp.databricks.com`, provisioned, "gcp", undefined, direct],
    [`${ep}.database.us-central1.gcp.databricks.com`, autoscaling, "gcp", "us-central1", direct],
    [`${ep}-pooler.database.us-central1.gcp.databricks.com`, autoscaling, "gcp", "us-central1", pooled],
    // Governments, and China
    [`instance-${uuid}.database.cloud.databricks.us`, provisioned, "aws", undefined, direct],
    [`${ep}.database.us-gov-west-1.cloud.databricks.us`, autoscaling, "aws", "us-gov-west-1", direct],
    [`${ep}.database.cloud.databricks.us`, autoscaling, "aws", undefined, direct],
    [`instance-${uuid}.database.databricks.azure.us`, provisioned, "azure", undefined, direct],
    [`${ep}-ro.database.usgovvirginia.databricks.azure.us`, autoscaling, "azure", "usgovvirginia", reads],
    [`${ep}.database.databricks.azure.cn`, autoscaling, "azure", undefined, direct],
    [`${ep}.database.chinaeast2.databricks.azure.cn`, autoscaling, "azure", "chinaeast2", direct],
    // A region may have the name of a part of a zone.
    [`${ep}.database.gcp.cloud.databricks.com`, autoscaling, "aws", "gcp", direct],
    [`${ep}.database.database.cloud.databricks.com`, autoscaling, "aws", "database", direct],
  ] as const)("reads %s", (host, product, cloud, region, [readOnly, isPooled]) => {
    expect(parseLakebaseHost(host)).toEqual({ host, product, cloud, region, readOnly, pooled: isPooled });
    expect(parseLakebaseHost(`${host.toUpperCase()}.`)).toEqual(parseLakebaseHost(host));
    expect(isLakebaseHost(host)).toBe(true);
  });

  test.each([
    ["upper case", "EP-Cool-River-A1b2c3d4.DATABASE.us-west-2.Cloud.Databricks.COM"],
    ["the trailing dot of a full name", "ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com."],
    ["spaces round it", "  ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com\n"],
  ])("sees through %s", (_name, host) => {
    expect(parseLakebaseHost(host)?.host).toBe("ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com");
  });

  test.each([
    "",
    ".",
    "localhost",
    "127.0.0.1",
    "cloud.databricks.com",
    "database.cloud.databricks.com",
    "acme.cloud.databricks.com",
    "adb-123.4.azuredatabricks.net",
    "ep-cool-river-a1b2c3d4.us-east-2.aws.neon.tech",
    "ep-a-b-c.database.us-west-2.cloud.databricks.com.evil.example",
    "ep-a-b-c.database.us-west-2.cloud.databricks.com..",
    "ep-a-b-c.database.us-west-2.evilcloud.databricks.com",
    "ep-a-b-c.database.us-west-2.cloud-databricks.com",
    "ep-a-b-c.databasexcloud.databricks.com",
    "ep-a-b-c.database.us-west-2xcloud.databricks.com",
    "ep-a-b-c.database.us-west-2.cloud.databricks.com:5432",
    "ep-a-b-c.database.us-west-2.cloud.databricks.com/x",
    "ep-a-b-c.database.us-west-2.cloud.databricks.com@evil.example",
    "evil.example#.database.cloud.databricks.com",
    "evil.example\0.database.cloud.databricks.com",
    "x.ep-a-b-c.database.us-west-2.cloud.databricks.com",
    "ep-a-b-c.x.database.us-west-2.cloud.databricks.com",
    "ep-a-b-c.database.a.b.cloud.databricks.com",
    "ep-a-b-c.database..cloud.databricks.com",
    "ep-a-b-c.notdatabase.cloud.databricks.com",
    "epa-b-c.database.cloud.databricks.com",
    "myinstance-1.database.cloud.databricks.com",
    "ep-.database.cloud.databricks.com",
    "ep-pooler.database.cloud.databricks.com",
    "instance-.database.cloud.databricks.com",
    "instance-pooler.database.cloud.databricks.com",
    "instance-ro-pooler.database.cloud.databricks.com",
    "ep-ro.database.cloud.databricks.com",
    "ep-ro-pooler.database.cloud.databricks.com",
    "instance-ro.database.cloud.databricks.com",
    "ep--pooler.database.cloud.databricks.com",
    "ep-a-b-c-.database.cloud.databricks.com",
    "-ep-a-b-c.database.cloud.databricks.com",
    "ep.database.cloud.databricks.com",
    "instance.database.cloud.databricks.com",
    "ep-a_b-c.database.cloud.databricks.com",
    // Zones in another order, cut, put together or of somebody else.
    "ep-a-b-c.database.databricks.cloud.com",
    "ep-a-b-c.database.com.databricks.cloud",
    "ep-a-b-c.database.cloud.com.databricks",
    "ep-a-b-c.us-west-2.database.cloud.databricks.com",
    "database.ep-a-b-c.cloud.databricks.com",
    "ep-a-b-c.database.us-west-2.databricks.com",
    "ep-a-b-c.database.databricks.com",
    "ep-a-b-c.database.cloud.databricks",
    "ep-a-b-c.database.databricks.net",
    "ep-a-b-c.database.cloud.azuredatabricks.com",
    "ep-a-b-c.database.azure.databricks.us",
    "ep-a-b-c.database.databricks.azure.com",
    "ep-a-b-c.database.databricks.azure.de",
    "ep-a-b-c.database.gcp.databricks.us",
    "ep-a-b-c.database.cloud.databricks.com.us",
    "ep-a-b-c.database.cloud.databricks.community",
    "ep-a-b-c.database.cloud.databricks.co",
    "ep-a-b-c.database.cloudadatabricks.com",
    "ep-a-b-c.database.cloud.databricksxcom",
    "ep-a-b-c.database.xazuredatabricks.net",
    "ep-a-b-c.database.azuredatabricks.net.cloud.databricks.com.evil.example",
    "ep-abc-123.databricks.com",
    // Ends that are not ends.
    "ep-a-b-c.database.cloud.databricks.com.evil.example.",
    "ep-a-b-c.database.cloud.databricks.com\nevil.example",
    "evil.example\nep-a-b-c.database.cloud.databricks.com",
    "ep-a-b-c.database.cloud.databricks.com\0.evil.example",
    "ep-a-b-c.database.cloud.databricks.com%00.evil.example",
    "ep-a-b-c.database.cloud.databricks.com%2eevil.example",
    "ep-a-b-c.database.cloud.databricks.com?evil.example",
    "ep-a-b-c.database.cloud.databricks.com#evil.example",
    "ep-a-b-c.database.cloud.databricks.com\\evil.example",
    "ep-a-b-c.database.cloud.databricks.com,evil.example",
    "evil.example,ep-a-b-c.database.cloud.databricks.com",
    "evil.example/ep-a-b-c.database.cloud.databricks.com",
    // Addresses with more than a name in them.
    "user@ep-a-b-c.database.cloud.databricks.com",
    "user:password@ep-a-b-c.database.cloud.databricks.com",
    "https://ep-a-b-c.database.cloud.databricks.com",
    "ep-a-b-c.database.cloud.databricks.com:443",
    "[ep-a-b-c.database.cloud.databricks.com]",
    // Dots that are no dots, letters that are no letters.
    "ep-a-b-c.database.cloud.databricks..com",
    ".ep-a-b-c.database.cloud.databricks.com",
    "ep-a-b-c..database.cloud.databricks.com",
    "ep-a-b-c。database。cloud。databricks。com",
    "ep-a-b-c.database.cloud.databricks\u2024com",
    "ep-a-b-c.database.cloud.databricks.com\u3002",
    "ep-a-b-c.database.cloud.xn--databricks-123.com",
    "ep-a-b-c.database.cloud.xn--databrics-8lf.com",
    "xn--ep-a-b-c.database.cloud.databricks.com",
    "ep-a-b-c.database.cloud.databricks.ⅽom",
    "ep-a-b-c.database.cloud.databric\u212as.com",
    "ep-a-b-c.database.cloud.datab\u0131ricks.com",
    "ep-a\u00adb-c.database.cloud.databricks.com",
    "еp-a-b-c.database.cloud.databricks.com",
    "ep-a-b-c.database.cloud.databriсks.com",
    `ep-${"a".repeat(61)}.database.cloud.databricks.com`,
  ])("refuses %j", (host) => {
    expect(parseLakebaseHost(host)).toBeUndefined();
    expect(isLakebaseHost(host)).toBe(false);
  });

  const name = fc.stringMatching(/^(ep|instance|instance-ro)-[a-z0-9]{1,12}-[a-z0-9]{1,12}(-pooler)?$/);
  const region = fc.option(fc.stringMatching(/^[a-z]{2,6}-[a-z0-9]{1,8}$/), { nil: undefined });
  const hosts = fc
    .record({ name, region, zone: fc.constantFrom(...zones) })
    .map(({ name, region, zone }) => [name, "database", ...(region ? [region] : []), zone].join("."));

  test("accepts every name of the known form, in any case and with a trailing dot", () => {
    fc.assert(
      fc.property(hosts, fc.infiniteStream(fc.boolean()), fc.boolean(), (host, upper, dot) => {
        const written = [...host].map((letter) => (upper.next().value ? letter.toUpperCase() : letter)).join("");
        expect(parseLakebaseHost(dot ? `${written}.` : written)?.host).toBe(host);
      }),
    );
  });

  test("accepts nothing with a label put in, wherever it stands", () => {
    const intruder = fc.stringMatching(/^[a-z0-9]{1,10}$/).filter((text) => text !== "database");
    fc.assert(
      fc.property(hosts, intruder, fc.nat(), (host, extra, seed) => {
        const labels = host.split(".");
        const at = seed % (labels.length + 1);
        const injected = [...labels.slice(0, at), extra, ...labels.slice(at)].join(".");
        const found = parseLakebaseHost(injected);
        // Between `database` and the zone one label is a region, if there was none.
        if (found) {
          expect(labels[2]).toMatch(/^(cloud|azuredatabricks|gcp|databricks)$/);
          expect(found.region).toBe(extra);
          expect(zones.some((zone) => injected.endsWith(`.database.${extra}.${zone}`))).toBe(true);
        }
      }),
    );
  });

  test("accepts nothing with a stranger's letter put in, wherever it stands", () => {
    const stranger = fc.constantFrom(
      "\0",
      "/",
      "@",
      ":",
      "#",
      "?",
      "%",
      "\\",
      "_",
      ",",
      " ",
      "*",
      "é",
      "ｅ",
      "\u200b",
      "\r\n",
    );
    fc.assert(
      fc.property(hosts, stranger, fc.nat(), (host, letter, seed) => {
        const at = 1 + (seed % (host.length - 1));
        expect(parseLakebaseHost(host.slice(0, at) + letter + host.slice(at))).toBeUndefined();
      }),
    );
  });

  test("accepts nothing that is not a database under one of the zones, and never throws", () => {
    const near = fc
      .array(
        fc.oneof(
          fc.constantFrom("ep-a-b-c", "instance-a", "database", "cloud", "databricks", "com", "net", "", "evil"),
          fc.string({ maxLength: 6 }),
        ),
        { maxLength: 8 },
      )
      .map((labels) => labels.join("."));
    fc.assert(
      fc.property(fc.oneof(near, fc.string(), fc.domain()), (text) => {
        const found = parseLakebaseHost(text);
        if (!found) return;
        const [first, second] = found.host.split(".");
        expect(first).toMatch(/^(ep|instance)-[a-z0-9-]*[a-z0-9]$/);
        expect(second).toBe("database");
        expect(zones.some((zone) => found.host.endsWith(`.${zone}`))).toBe(true);
        expect(found.host).toBe(normalizeHost(text));
      }),
      { numRuns: 500 },
    );
  });
});

describe("hostProblem", () => {
  test.each(["db.example", "localhost", "127.0.0.1", "::1", "2001:db8::1", "DB.Example.", "a-b.c"])(
    "accepts %s",
    (text) => {
      expect(hostProblem(text)).toBeUndefined();
    },
  );

  test.each([
    "",
    "https://db.example",
    "db.example:5432",
    "db.example/x",
    "/var/run/postgresql",
    "a.example,b.example",
    "*.example",
    "a b",
    "-a.example",
    "a..b",
    "a\0b",
    "a\nb",
    "user@db.example",
    "a".repeat(254),
  ])("refuses %j", (text) => {
    expect(hostProblem(text)).toContain("one host name");
  });
});
