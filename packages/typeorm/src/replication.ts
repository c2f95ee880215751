import type { ConfigProblem } from "@x/lakebase-core";

/** TypeORM's replication: writes go to the target's read-write host, reads to its read-only host. */
export interface LakebaseReplication {
  /** A pool each, all on the same read-only host: it stands for all readable secondaries, so one is enough. */
  slaves: readonly { access: "read-only" }[];
  /** Where TypeORM reads when nothing else is said. Its own default is `"slave"`. */
  defaultMode?: "master" | "slave" | undefined;
}

export function replicationProblems(replication: unknown, access: unknown): ConfigProblem[] {
  if (replication === undefined) return [];
  const problems: ConfigProblem[] = [];
  const problem = (option: string, message: string) => problems.push({ option, message });
  if (Object(replication) !== replication) {
    problem("replication", "must be an object");
    return problems;
  }
  const { slaves, defaultMode, ...others } = replication as LakebaseReplication;
  for (const key of Object.keys(others)) problem(`replication.${key}`, "is not an option");
  const isSlave = (slave: unknown) => JSON.stringify(slave) === '{"access":"read-only"}';
  if (!Array.isArray(slaves) || !slaves.every(isSlave)) {
    problem(
      "replication.slaves",
      'must be a list of { access: "read-only" }; another target needs its own data source',
    );
  }
  if (![undefined, "master", "slave"].includes(defaultMode)) {
    problem("replication.defaultMode", 'must be "master" or "slave"');
  }
  if (access !== undefined) problem("access", "is decided by `replication`; give one of them");
  return problems;
}
