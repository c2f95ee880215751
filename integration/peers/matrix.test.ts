import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { satisfies } from "semver";
import { describe, expect, test } from "vitest";
import { catalogVersion } from "../packaging/tarballs.ts";
import { members } from "./contract-files.ts";
import { oldestOf, otherLines, readPeers, readVariants, triedElsewhere } from "./matrix.ts";

const peers = readPeers();
const tried = peers.filter(({ name }) => !Object.hasOwn(triedElsewhere, name));
const [oldest, others] = readVariants();

/** Every version on which the contract is run. */
const versionsOf = (name: string) =>
  [oldest, others].flatMap((variant) => variant?.versions[name] ?? []).concat(catalogVersion(name));

describe.each(tried)("the peer $name", ({ name, ranges }) => {
  const [range = ""] = Object.values(ranges);

  test("has one range in all packages that name it", () => {
    expect(new Set(Object.values(ranges))).toEqual(new Set([range]));
  });

  test("is tried at the oldest version of its range", () => {
    expect(oldest?.versions[name]).toBe(oldestOf(range));
  });

  test("is tried in each part of its range, and never outside", () => {
    for (const version of versionsOf(name)) expect(satisfies(version, range), version).toBe(true);
    for (const part of range.split("||")) {
      expect(
        versionsOf(name).filter((version) => satisfies(version, part)),
        part,
      ).not.toEqual([]);
    }
  });
});

test("every peer is a package that the contract loads, or its types, or is tried elsewhere by a file that is there", () => {
  const loaded = members().flatMap((member) => member.packages);
  const isLoaded = (name: string) => loaded.includes(name.replace(/^@types\//, ""));
  expect(tried.filter(({ name }) => !isLoaded(name)).map(({ name }) => name)).toEqual([]);
  for (const [name, where] of Object.entries(triedElsewhere)) {
    expect(peers.map((peer) => peer.name)).toContain(name);
    const [file = ""] = where.split(",");
    expect(existsSync(fileURLToPath(new URL(`../../${file}`, import.meta.url))), file).toBe(true);
  }
});

test("other lines of a host are peers, and neither the oldest nor the newest", () => {
  for (const [name, version] of Object.entries(otherLines)) {
    expect(peers.map((peer) => peer.name)).toContain(name);
    expect([oldest?.versions[name], catalogVersion(name)]).not.toContain(version);
  }
});

test("every member of the contract runs on the oldest peers", () => {
  const idle = members().filter(
    (member) => !member.packages.some((name) => Object.hasOwn(oldest?.versions ?? {}, name)),
  );
  expect(idle.map(({ name }) => name)).toEqual([]);
});
