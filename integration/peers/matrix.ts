import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { minVersion } from "semver";

const packages = fileURLToPath(new URL("../../packages", import.meta.url));

/** Versions of hosts and drivers on which the contract is run; whatever is not named here is as in the catalog. */
export interface Variant {
  /** As in "contract on …". */
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** A peer, and the range that each of our packages gives for it. */
export interface Peer {
  readonly name: string;
  readonly ranges: Readonly<Record<string, string>>;
}

/** Lines of a host that are neither the oldest nor the newest, and that differ from both. */
export const otherLines: Readonly<Record<string, string>> = {
  // A release candidate, for want of a release: the range lets it in.
  "drizzle-orm": "1.0.0-rc.5",
  // The last of the line whose `DataSource` version 1 replaced.
  typeorm: "0.3.29",
};

/** Peers on which the contract does not depend, and where they are tried instead. */
export const triedElsewhere: Readonly<Record<string, string>> = {
  testcontainers: "integration/slow/container.test.ts, which needs a Docker engine",
};

/** What the contract's members use beside the peers, where the catalog's version does not go with the oldest of them. */
const companions: Readonly<Record<string, string>> = {
  // The first that takes pg-cursor 2.11; each later one brings a newer pg-cursor.
  "pg-query-stream": "4.6.0",
};

/** Every peer of every package, as the manifests have it. */
export function readPeers(): Peer[] {
  const ranges = new Map<string, Record<string, string>>();
  for (const folder of readdirSync(packages)) {
    const { name, peerDependencies = {} } = JSON.parse(readFileSync(join(packages, folder, "package.json"), "utf8"));
    for (const [peer, range] of Object.entries<string>(peerDependencies)) {
      ranges.set(peer, { ...ranges.get(peer), [name]: range });
    }
  }
  return [...ranges]
    .map(([name, own]) => ({ name, ranges: own }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The oldest version that a range lets in. */
export function oldestOf(range: string): string {
  const oldest = minVersion(range);
  if (!oldest) throw new Error(`no version is in the range ${range}`);
  return oldest.version;
}

/** All runs of the contract besides the one on the catalog, which is part of `npm test`. */
export function readVariants(): Variant[] {
  const oldest = readPeers()
    .filter(({ name }) => !Object.hasOwn(triedElsewhere, name))
    .flatMap(({ name, ranges }) => Object.values(ranges).map((range) => [name, oldestOf(range)]));
  return [
    { name: "the oldest peers", versions: { ...Object.fromEntries(oldest), ...companions } },
    { name: "other majors", versions: otherLines },
  ];
}
