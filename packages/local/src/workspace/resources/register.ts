import { randomBytes } from "node:crypto";
import type { EndpointHosts, HostNames, InstanceHosts } from "../../host-names.ts";
import type { BranchOptions, EndpointOptions, InstanceOptions, ProjectOptions } from "./resource-options.ts";

export interface EndpointEntry {
  name: string;
  type: "READ_WRITE" | "READ_ONLY";
  state: NonNullable<EndpointOptions["state"]> | undefined;
  hosts: EndpointHosts;
}

export interface BranchEntry {
  name: string;
  default: boolean;
  endpoints: EndpointEntry[];
}

export interface ProjectEntry {
  name: string;
  branches: BranchEntry[];
}

export interface InstanceEntry {
  name: string;
  state: NonNullable<InstanceOptions["state"]>;
  hosts: InstanceHosts;
  endpoint: string | undefined;
}

/** The projects and instances that exist, down to their hosts. */
export interface ResourceRegister {
  readonly projects: ProjectEntry[];
  readonly instances: InstanceEntry[];
  addProject(options?: ProjectOptions): ProjectEntry;
  /** @throws TypeError when there is no such project */
  addBranch(project: string, options?: BranchOptions): BranchEntry;
  /** @throws TypeError when there is no such branch */
  addEndpoint(branch: string, options?: EndpointOptions): EndpointEntry;
  addInstance(options?: InstanceOptions): InstanceEntry;
  /** Gives an endpoint new hosts; its old ones lead nowhere. @throws TypeError when there is no such endpoint */
  moveEndpoint(name: string): EndpointEntry;
}

export function createResourceRegister(hostNames: HostNames): ResourceRegister {
  const projects: ProjectEntry[] = [];
  const instances: InstanceEntry[] = [];
  const newId = (kind: string) => `${kind}-${randomBytes(3).toString("hex")}`;
  const all = () => {
    const branches = projects.flatMap((project) => project.branches);
    return { branches, endpoints: branches.flatMap((branch) => branch.endpoints) };
  };

  function create<Entry extends { name: string }>(entry: Entry, existing: Entry[]): Entry {
    if (existing.some(({ name }) => name === entry.name)) throw new TypeError(`"${entry.name}" exists already`);
    existing.push(entry);
    return entry;
  }

  function find<Entry extends { name: string }>(name: string, entries: Entry[]): Entry {
    const entry = entries.find((candidate) => candidate.name === name);
    if (!entry) throw new TypeError(`there is no "${name}"`);
    return entry;
  }

  const register: ResourceRegister = {
    projects,
    instances,
    addProject({ id = newId("project"), branches = [{ id: "production", default: true }] } = {}) {
      const project = create({ name: `projects/${id}`, branches: [] as BranchEntry[] }, projects);
      for (const branch of branches) register.addBranch(project.name, branch);
      return project;
    },
    addBranch(project, { id = newId("branch"), default: isDefault = false, endpoints = [{ id: "primary" }] } = {}) {
      const { name, branches } = find(project, projects);
      const entry = { name: `${name}/branches/${id}`, default: isDefault, endpoints: [] as EndpointEntry[] };
      const branch = create(entry, branches);
      for (const endpoint of endpoints) register.addEndpoint(branch.name, endpoint);
      return branch;
    },
    addEndpoint(branch, { id = newId("endpoint"), type = "READ_WRITE", state } = {}) {
      const { name, endpoints } = find(branch, all().branches);
      const hosts = hostNames.addEndpoint(type);
      return create({ name: `${name}/endpoints/${id}`, type, state, hosts }, endpoints);
    },
    addInstance({ name = newId("instance"), state = "AVAILABLE", upgraded = false } = {}) {
      const hosts = hostNames.addInstance();
      const entry: InstanceEntry = { name, state, hosts, endpoint: undefined };
      create(entry, instances);
      if (upgraded) {
        const endpoint = register.addProject({ id: name }).branches[0]?.endpoints[0];
        if (endpoint) {
          // Hosts outlive the upgrade: https://docs.databricks.com/aws/en/oltp/upgrade-to-autoscaling
          endpoint.hosts = { ...endpoint.hosts, host: hosts.host, readOnlyHost: hosts.readOnlyHost };
          entry.endpoint = endpoint.name;
        }
      }
      return entry;
    },
    moveEndpoint(name) {
      const endpoint = find(name, all().endpoints);
      hostNames.remove(endpoint.hosts);
      endpoint.hosts = hostNames.addEndpoint(endpoint.type);
      return endpoint;
    },
  };
  return register;
}
