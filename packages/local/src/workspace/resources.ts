import type { Compute } from "../compute.ts";
import type { HostNames } from "../host-names.ts";
import { type Answer, invalid } from "./api-error.ts";

export interface ResourceContext {
  hosts: HostNames;
  compute: Compute;
  endpoint: string;
  instance: string;
  creator: string;
  createdAt: Date;
  major: number;
}

/** The Autoscaling side: one project with one branch and two endpoints, of which one reads only. */
export function createResources(context: ResourceContext) {
  const { hosts, compute, creator, major } = context;
  const branchName = context.endpoint.split("/endpoints/")[0] ?? "";
  const projectName = branchName.split("/branches/")[0] ?? "";
  const created = { create_time: context.createdAt.toISOString(), update_time: context.createdAt.toISOString() };
  const lastSegment = (name: string) => name.split("/").at(-1);

  const project = () => ({
    name: projectName,
    uid: hosts.instanceUid,
    ...created,
    status: { display_name: lastSegment(projectName), owner: creator, pg_version: major, enable_pg_native_login: true },
  });
  const branch = () => ({
    name: branchName,
    uid: `br-${hosts.endpointUid.slice(3)}`,
    parent: projectName,
    ...created,
    status: { current_state: "READY", default: true, is_protected: false },
  });
  const endpoint = (name: string, type: "READ_WRITE" | "READ_ONLY", uid: string, names: Record<string, string>) => ({
    name,
    uid,
    parent: branchName,
    ...created,
    status: {
      endpoint_id: lastSegment(name),
      current_state: compute.state,
      endpoint_type: `ENDPOINT_TYPE_${type}`,
      hosts: names,
      disabled: false,
      autoscaling_limit_min_cu: 0.5,
      autoscaling_limit_max_cu: 2,
      suspend_timeout_duration: "86400s",
    },
  });
  const primary = () =>
    endpoint(context.endpoint, "READ_WRITE", hosts.endpointUid, {
      host: hosts.host,
      read_only_host: hosts.readOnlyHost,
      read_write_pooled_host: hosts.pooledHost,
      read_only_pooled_host: hosts.readOnlyPooledHost,
    });
  const replica = () =>
    endpoint(`${branchName}/endpoints/replica`, "READ_ONLY", hosts.readOnlyHost.split(".")[0] ?? "", {
      host: hosts.readOnlyHost,
      read_write_pooled_host: hosts.readOnlyPooledHost,
    });
  const instance = () => ({
    name: context.instance,
    uid: hosts.instanceUid,
    state: "AVAILABLE",
    capacity: "CU_1",
    read_write_dns: hosts.instanceHost,
    read_only_dns: hosts.instanceReadOnlyHost,
    pg_version: `PG_VERSION_${major}`,
    stopped: false,
    effective_stopped: false,
    effective_enable_pg_native_login: true,
    node_count: 2,
    effective_node_count: 2,
    enable_readable_secondaries: true,
    effective_enable_readable_secondaries: true,
    creator,
    creation_time: context.createdAt.toISOString(),
    retention_window_in_days: 7,
  });

  const all = () => [project(), branch(), primary(), replica()];
  return {
    projectName,
    branchName,
    /** By its full resource name. */
    find: (name: string) => all().find((resource) => resource.name === name),
    projects: () => [project()],
    branches: (parent: string) => (parent === projectName ? [branch()] : undefined),
    endpoints: (parent: string) => (parent === branchName ? [primary(), replica()] : undefined),
    instances: () => [instance()],
  };
}

export type Resources = ReturnType<typeof createResources>;

const LARGEST_PAGE = 100;

/** One page of a list; the page token is opaque to clients. */
export function page(field: string, items: unknown[], query: URLSearchParams): Answer {
  const size = Number(query.get("page_size") ?? LARGEST_PAGE);
  if (!Number.isInteger(size) || size < 1 || size > LARGEST_PAGE) {
    throw invalid(`page_size must be between 1 and ${LARGEST_PAGE}`);
  }
  const token = query.get("page_token");
  const start = token ? Number(Buffer.from(token, "base64url").toString()) : 0;
  if (!Number.isInteger(start) || start < 0) throw invalid("page_token is not one of ours");
  const rest = start + size < items.length;
  return {
    status: 200,
    body: {
      [field]: items.slice(start, start + size),
      ...(rest && { next_page_token: Buffer.from(String(start + size)).toString("base64url") }),
    },
  };
}
