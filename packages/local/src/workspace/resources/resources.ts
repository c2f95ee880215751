import type { Compute } from "../../compute.ts";
import type { BranchEntry, EndpointEntry, InstanceEntry, ProjectEntry, ResourceRegister } from "./register.ts";

export interface ResourceContext {
  register: ResourceRegister;
  compute: Compute;
  creator: string;
  createdAt: Date;
  major: number;
}

/** What the API says of projects, branches, endpoints and instances. */
export function createResources({ register, compute, creator, createdAt, major }: ResourceContext) {
  const created = { create_time: createdAt.toISOString(), update_time: createdAt.toISOString() };
  const lastSegment = (name: string) => name.split("/").at(-1);
  const parentOf = (name: string) => name.split("/").slice(0, -2).join("/");

  const describeProject = ({ name }: ProjectEntry) => ({
    name,
    uid: lastSegment(name),
    ...created,
    status: { display_name: lastSegment(name), owner: creator, pg_version: major, enable_pg_native_login: true },
  });
  const describeBranch = ({ name, default: isDefault }: BranchEntry) => ({
    name,
    uid: `br-${lastSegment(name)}`,
    parent: parentOf(name),
    ...created,
    status: { current_state: "READY", default: isDefault, is_protected: false },
  });
  const describeEndpoint = ({ name, type, state = compute.state, hosts }: EndpointEntry) => ({
    name,
    uid: hosts.uid,
    parent: parentOf(name),
    ...created,
    status: {
      endpoint_id: lastSegment(name),
      current_state: state,
      endpoint_type: `ENDPOINT_TYPE_${type}`,
      ...(state !== "INIT" && { hosts: describeHosts(type, hosts) }),
      disabled: false,
      autoscaling_limit_min_cu: 0.5,
      autoscaling_limit_max_cu: 2,
      suspend_timeout_duration: "86400s",
    },
  });
  const describeInstance = ({ name, state, hosts }: InstanceEntry) => ({
    name,
    uid: hosts.uid,
    state,
    capacity: "CU_1",
    read_write_dns: hosts.host,
    read_only_dns: hosts.readOnlyHost,
    pg_version: `PG_VERSION_${major}`,
    stopped: state === "STOPPED",
    effective_stopped: state === "STOPPED",
    effective_enable_pg_native_login: true,
    node_count: 2,
    effective_node_count: 2,
    enable_readable_secondaries: true,
    effective_enable_readable_secondaries: true,
    creator,
    creation_time: createdAt.toISOString(),
    retention_window_in_days: 7,
  });

  const named = <Entry extends { name: string }>(entries: Entry[], name: string) =>
    entries.find((entry) => entry.name === name);
  const project = (name: string) => named(register.projects, name);
  const branch = (name: string) => named(project(parentOf(name))?.branches ?? [], name);
  const endpoint = (name: string) => named(branch(parentOf(name))?.endpoints ?? [], name);
  const instance = (fits: (entry: InstanceEntry) => boolean) =>
    register.instances.filter(fits).map(describeInstance)[0];

  return {
    projects: () => register.projects.map(describeProject),
    branches: (parent: string) => project(parent)?.branches.map(describeBranch),
    endpoints: (parent: string) => branch(parent)?.endpoints.map(describeEndpoint),
    instances: () => register.instances.map(describeInstance),
    /** By their full resource names. */
    project: (name: string) => optional(describeProject, project(name)),
    branch: (name: string) => optional(describeBranch, branch(name)),
    endpoint: (name: string) => optional(describeEndpoint, endpoint(name)),
    instance: (name: string) => instance((entry) => entry.name === name),
    instanceByUid: (uid: string | null) => instance((entry) => entry.hosts.uid === uid),
  };
}

export type Resources = ReturnType<typeof createResources>;

function optional<Entry, Description>(describe: (entry: Entry) => Description, entry: Entry | undefined) {
  return entry && describe(entry);
}

function describeHosts(type: EndpointEntry["type"], hosts: EndpointEntry["hosts"]): Record<string, string> {
  const { host, pooledHost, readOnlyHost, readOnlyPooledHost } = hosts;
  if (type === "READ_ONLY") return { host, read_write_pooled_host: pooledHost };
  return {
    host,
    read_only_host: readOnlyHost,
    read_write_pooled_host: pooledHost,
    read_only_pooled_host: readOnlyPooledHost,
  };
}
