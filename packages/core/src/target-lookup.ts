import { isLakebaseError } from "./error-chain.ts";
import { configError, LakebaseError } from "./errors.ts";
import { normalizeHost } from "./host.ts";
import type { NamedTarget, Target } from "./target.ts";
import { text, type WorkspaceCall } from "./workspace.ts";

/** What a target comes to, by the workspace's word. */
export interface FoundTarget {
  readonly named: NamedTarget;
  readonly readWrite: string | undefined;
  readonly readOnly: string | undefined;
  /** Every host that the branch was seen to have, where all of its endpoints were looked at. */
  readonly branchHosts?: readonly string[];
}

type Json = Record<string, unknown>;

/** A list longer than this is not read to its end: at 100 a page, a thousand. */
const maxPages = 10;
export const wayOut = "name the endpoint with `endpoint` or LAKEBASE_ENDPOINT";

/**
 * Finds out what tokens are minted for and which hosts there are: one call for an endpoint, an instance or a branch, two
 * for a project.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` that lists the choices where there is not exactly one.
 */
export async function lookUpTarget(call: WorkspaceCall, target: Target): Promise<FoundTarget> {
  switch (target.kind) {
    case "endpoint": {
      const { json } = await call("endpoint look-up", { method: "GET", path: `/api/2.0/postgres/${target.name}` });
      return fromEndpoint({ ...json, name: target.name });
    }
    case "instance": {
      const path = `/api/2.0/database/instances/${encodeURIComponent(target.name)}`;
      return fromInstance((await call("instance look-up", { method: "GET", path })).json, target.name);
    }
    case "project":
      return lookUpBranch(call, await defaultBranch(call, target.name));
    case "branch":
      return lookUpBranch(call, target.name);
    case "host":
      throw new Error("hosts are searched for");
  }
}

/** The host of the only read-only endpoint on an endpoint's branch, if there is one. */
export async function lookUpReplica(call: WorkspaceCall, endpoint: string): Promise<string | undefined> {
  const branch = endpoint.slice(0, endpoint.indexOf("/endpoints/"));
  const replicas = (await listEndpoints(call, branch)).filter((one) => typeOf(one) === "ENDPOINT_TYPE_READ_ONLY");
  const [replica, second] = replicas;
  if (second) throw chooseEndpoint(`${branch} has several read-only endpoints`, replicas);
  return replica && text(hostsOf(replica).host);
}

/** Pages of a list, one after another. */
export async function list(call: WorkspaceCall, what: string, path: string, field: string): Promise<Json[]> {
  const items: Json[] = [];
  let token: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const query = `page_size=100${token === undefined ? "" : `&page_token=${encodeURIComponent(token)}`}`;
    const { json } = await call(`look-up of the ${what}`, { method: "GET", path: `${path}?${query}` });
    const found: unknown = json[field];
    if (Array.isArray(found)) items.push(...found.filter((one) => typeof one === "object" && one !== null));
    token = text(json.next_page_token);
    if (token === undefined) return items;
  }
  throw tooMuch(`there are more than ${maxPages} pages of ${what}`);
}

/** A look-up is bounded: past that, whoever configures has to say more. */
export function tooMuch(message: string): LakebaseError {
  return configError([{ option: "endpoint", variable: "LAKEBASE_ENDPOINT", message: `is needed, because ${message}` }]);
}

export const listBranches = (call: WorkspaceCall, project: string) =>
  list(call, `branches of ${project}`, `/api/2.0/postgres/${project}/branches`, "branches");

export const listEndpoints = (call: WorkspaceCall, branch: string) =>
  list(call, `endpoints of ${branch}`, `/api/2.0/postgres/${branch}/endpoints`, "endpoints");

export const isDefaultBranch = (branch: Json) => Object(branch.status).default === true;

async function defaultBranch(call: WorkspaceCall, project: string): Promise<string> {
  const branches = await withWayOut(listBranches(call, project));
  const [branch, second] = branches.filter(isDefaultBranch);
  const name = branch && !second ? text(branch.name) : undefined;
  if (name !== undefined) return name;
  const message = `${project} has ${second ? "several default branches" : "no default branch"}`;
  throw choose("branch", "LAKEBASE_BRANCH", message, branches);
}

async function lookUpBranch(call: WorkspaceCall, branch: string): Promise<FoundTarget> {
  const endpoints = await withWayOut(listEndpoints(call, branch));
  const [endpoint, second] = endpoints.filter((one) => typeOf(one) === "ENDPOINT_TYPE_READ_WRITE");
  if (second) throw chooseEndpoint(`${branch} has several read-write endpoints`, endpoints);
  if (!endpoint) throw chooseEndpoint(`${branch} has no read-write endpoint`, endpoints);
  const branchHosts = endpoints
    .flatMap((one) => Object.values(hostsOf(one)))
    .map((host) => normalizeHost(String(host)));
  return { ...fromEndpoint(endpoint), branchHosts };
}

/** What an endpoint's own description says. */
export function fromEndpoint(endpoint: Json): FoundTarget {
  const name = text(endpoint.name);
  if (name === undefined) throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", "an endpoint without a name");
  const { host, read_only_host: readOnlyHost } = hostsOf(endpoint);
  const readOnly = text(readOnlyHost) ?? (typeOf(endpoint) === "ENDPOINT_TYPE_READ_ONLY" ? text(host) : undefined);
  return { named: { kind: "endpoint", name }, readWrite: text(host), readOnly };
}

/** What an instance's own description says; the API is known to leave its name out. */
export function fromInstance(instance: Json, known?: string): FoundTarget {
  const name = known ?? text(instance.name);
  if (name === undefined) {
    throw new LakebaseError(
      "ERR_LAKEBASE_BAD_RESPONSE",
      "the workspace knows the instance, but does not tell its name; give it as `instance` or LAKEBASE_INSTANCE_NAME",
    );
  }
  return {
    named: { kind: "instance", name },
    readWrite: text(instance.read_write_dns),
    readOnly: text(instance.read_only_dns),
  };
}

export function hostsOf(endpoint: Json): Json {
  return Object(Object(endpoint.status).hosts);
}

function typeOf(endpoint: Json): unknown {
  return Object(endpoint.status).endpoint_type;
}

function chooseEndpoint(message: string, endpoints: readonly Json[]): LakebaseError {
  return choose("endpoint", "LAKEBASE_ENDPOINT", message, endpoints);
}

function choose(option: string, variable: string, message: string, choices: readonly Json[]): LakebaseError {
  const names = choices.map(({ name }) => text(name) ?? "(no name)");
  const shown = names.length > 20 ? [...names.slice(0, 20), `${names.length - 20} more`] : names;
  const next = shown.length > 0 ? `choose one of ${shown.join(", ")}` : "there is none to choose";
  return configError([{ option, variable, message: `is needed, because ${message}: ${next}` }]);
}

/** Whoever may not list may still have an endpoint that it can name. */
export async function withWayOut<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isLakebaseError(error, "ERR_LAKEBASE_PERMISSION_DENIED")) throw error;
    throw new LakebaseError(error.code, `${error.message}; or ${wayOut}`, { cause: error });
  }
}
