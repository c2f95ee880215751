import type {
  BranchEntry,
  EndpointEntry,
  InstanceEntry,
  ProjectEntry,
  ResourceRegister,
} from "./workspace/resources/register.ts";
import type {
  BranchOptions,
  EndpointOptions,
  InstanceOptions,
  LocalBranch,
  LocalEndpoint,
  LocalInstance,
  LocalProject,
  ProjectOptions,
} from "./workspace/resources/resource-options.ts";

/** Further projects and instances. All of their hosts lead to the same database: `logins` tells which one was asked for. */
export interface LocalResources {
  /**
   * @throws TypeError when its name is taken
   *
   * @example
   * ```ts
   * const shop = lakebase.addProject({
   *   branches: [{ id: "production", default: true }, { id: "staging", endpoints: [{ id: "replica", type: "READ_ONLY" }] }],
   * });
   * ```
   */
  addProject(options?: ProjectOptions): LocalProject;
  /**
   * @param project resource name: `projects/…`
   * @throws TypeError when there is no such project, or its name is taken
   */
  addBranch(project: string, options?: BranchOptions): LocalBranch;
  /**
   * @param branch resource name: `projects/…/branches/…`
   * @throws TypeError when there is no such branch, or its name is taken
   */
  addEndpoint(branch: string, options?: EndpointOptions): LocalEndpoint;
  /** @throws TypeError when its name is taken */
  addInstance(options?: InstanceOptions): LocalInstance;
  /**
   * Gives an endpoint new hosts, as after a failover; its old ones lead nowhere, and sessions go on.
   *
   * @throws TypeError when there is no such endpoint
   */
  moveEndpoint(name: string): LocalEndpoint;
}

export function createLocalResources(register: ResourceRegister): LocalResources {
  return {
    addProject: (options) => project(register.addProject(options)),
    addBranch: (parent, options) => branch(register.addBranch(parent, options)),
    addEndpoint: (parent, options) => endpoint(register.addEndpoint(parent, options)),
    addInstance: (options) => instance(register.addInstance(options)),
    moveEndpoint: (name) => endpoint(register.moveEndpoint(name)),
  };
}

const project = ({ name, branches }: ProjectEntry): LocalProject => ({ name, branches: branches.map(branch) });
const branch = ({ name, endpoints }: BranchEntry): LocalBranch => ({ name, endpoints: endpoints.map(endpoint) });
const endpoint = ({ name, hosts: { uid, host, readOnlyHost } }: EndpointEntry): LocalEndpoint => ({
  name,
  uid,
  host,
  readOnlyHost,
});
const instance = ({ name, hosts, endpoint: of }: InstanceEntry): LocalInstance => ({ name, ...hosts, endpoint: of });
