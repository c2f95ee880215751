import { isLakebaseError } from "./error-chain.ts";
import { LakebaseError } from "./errors.ts";
import { normalizeHost } from "./host.ts";
import { parseResource, type ResourceKind } from "./target.ts";
import {
  type FoundTarget,
  fromEndpoint,
  fromInstance,
  hostsOf,
  isDefaultBranch,
  list,
  listBranches,
  listEndpoints,
  tooMuch,
  wayOut,
  withWayOut,
} from "./target-lookup.ts";
import { text, type WorkspaceCall } from "./workspace.ts";

type Json = Record<string, unknown>;

/** The most that one search asks. With two calls for each project: some hundred projects. */
export const maxSearchCalls = 200;
/** How many of them at a time. */
const atOnce = 6;

/**
 * Finds what a host name belongs to. An instance is asked for by the uid in its host's name; an endpoint is searched for:
 * projects, then in each the default branch, then the other branches, until one has an endpoint of that uid or host.
 *
 * One object is one search. What was answered is kept, so that a try which ran out of time is continued by the next one.
 */
export class HostSearch {
  readonly #host: string;
  /** What the search is in, for messages. */
  readonly #workspace: string;
  readonly #answers = new Map<string, Json[]>();
  #calls = 0;
  /** Places that the identity may not look into. */
  #closed = 0;

  constructor(host: string, workspace: string) {
    this.#host = host;
    this.#workspace = workspace;
  }

  /** @throws LakebaseError `ERR_LAKEBASE_NOT_FOUND` or `ERR_LAKEBASE_PERMISSION_DENIED`, with the way out. */
  async run(call: WorkspaceCall): Promise<FoundTarget> {
    const [label = ""] = this.#host.split(".");
    return label.startsWith("instance-")
      ? this.#instance(call, label.replace(/^instance-(ro-)?/, ""))
      : this.#endpoint(call, label);
  }

  async #instance(call: WorkspaceCall, uid: string): Promise<FoundTarget> {
    const path = `/api/2.0/database/instances:findByUid?uid=${encodeURIComponent(uid)}`;
    try {
      const { json } = await withWayOut(call(`look-up of the instance of ${this.#host}`, { method: "GET", path }));
      return fromInstance(json);
    } catch (error) {
      const unknown =
        isLakebaseError(error, "ERR_LAKEBASE_NOT_FOUND") || isLakebaseError(error, "ERR_LAKEBASE_BAD_REQUEST");
      if (!unknown) throw error;
      throw new LakebaseError(
        "ERR_LAKEBASE_NOT_FOUND",
        `${this.#host} is no instance that this identity can see in ${this.#workspace}; is it in another workspace? If it is here, give its name with \`instance\` or LAKEBASE_INSTANCE_NAME, or ${wayOut}`,
        { cause: error },
      );
    }
  }

  async #endpoint(call: WorkspaceCall, label: string): Promise<FoundTarget> {
    const counted: WorkspaceCall = (purpose, request) => {
      this.#calls += 1;
      if (this.#calls <= maxSearchCalls) return call(purpose, request);
      throw tooMuch(`${this.#host} was not found in ${this.#workspace} within ${maxSearchCalls} calls`);
    };
    const isMeant = (endpoint: Json) =>
      [endpoint.uid, `${endpoint.uid}-ro`].includes(label) ||
      Object.values(hostsOf(endpoint)).some((host) => normalizeHost(String(host)) === this.#host);
    const others: Json[] = [];
    let found: FoundTarget | undefined;
    const lookInto = async (branch: Json) => {
      const name = nameOf("branch", branch);
      const endpoints = await this.#once(name, () => listEndpoints(counted, name));
      const endpoint = endpoints.find(isMeant);
      if (endpoint) found = fromEndpoint(endpoint);
      return found !== undefined;
    };
    const projects = await this.#once("", () => listProjects(counted));
    const inDefaultBranches = await untilTrue(projects, async (project) => {
      const name = nameOf("project", project);
      const branches = await this.#once(name, () => listBranches(counted, name));
      others.push(...branches.filter((branch) => !isDefaultBranch(branch)));
      for (const branch of branches.filter(isDefaultBranch)) if (await lookInto(branch)) return true;
      return false;
    });
    if (!inDefaultBranches) await untilTrue(others, lookInto);
    if (found) return found;
    throw new LakebaseError(
      this.#closed > 0 ? "ERR_LAKEBASE_PERMISSION_DENIED" : "ERR_LAKEBASE_NOT_FOUND",
      `${this.#host} is of no endpoint that this identity can see in ${this.#workspace} (${projects.length} projects${this.#closed > 0 ? `, ${this.#closed} lists refused` : ""}); is it in another workspace? If it is here, ${wayOut}`,
    );
  }

  async #once(place: string, ask: () => Promise<Json[]>): Promise<Json[]> {
    const known = this.#answers.get(place);
    if (known) return known;
    const answer = await ask().catch((error) => {
      // One project that is closed to us, or gone since it was listed, says nothing about the others.
      const closed = isLakebaseError(error, "ERR_LAKEBASE_PERMISSION_DENIED");
      if (place === "" || !(closed || isLakebaseError(error, "ERR_LAKEBASE_NOT_FOUND"))) throw error;
      if (closed) this.#closed += 1;
      return [];
    });
    this.#answers.set(place, answer);
    return answer;
  }
}

const listProjects = (call: WorkspaceCall) =>
  withWayOut(list(call, "projects", "/api/2.0/postgres/projects", "projects"));

/** A name goes into the path of the next call, so it must be one. */
function nameOf(kind: ResourceKind, json: Json): string {
  const parsed = parseResource(kind, text(json.name) ?? "");
  if ("value" in parsed) return parsed.value.name;
  throw new LakebaseError("ERR_LAKEBASE_BAD_RESPONSE", `a ${kind} in a list of the workspace has no proper name`);
}

/** Visits a few at a time, until one of them says yes or fails. */
async function untilTrue<Item>(items: readonly Item[], visit: (item: Item) => Promise<boolean>): Promise<boolean> {
  const left = [...items];
  let yes = false;
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      try {
        if (await visit(item)) yes = true;
      } catch (error) {
        left.length = 0;
        throw error;
      }
      if (yes) left.length = 0;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, worker));
  return yes;
}
