import { workspaceOrigin } from "../config/identity-group.ts";
import type { EnvironmentVariables } from "../config/reader.ts";
import { isLakebaseError } from "../error-chain.ts";
import type { ConfigProblem } from "../errors.ts";
import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import { type AuthMethod, type AuthPlace, authKinds, authMethods, isSet, otherMethods } from "./auth-methods.ts";
import {
  configFilePath,
  findProfile,
  type Profile,
  profileOf,
  readConfigFile,
  variablesOfProfile,
} from "./config-file.ts";
import type { AuthCandidate, Selection } from "./selection.ts";

/** The identity that the environment names, or a profile of `.databrickscfg` for it. */
export async function selectIdentity(
  environment: EnvironmentVariables,
  surroundings: WorkspaceAuthSurroundings,
): Promise<Selection> {
  const choice = await chooseProfile(environment);
  if ("problem" in choice) return { problem: choice.problem, candidates: [] };
  const { profile, candidate } = choice;
  const ofProfile = profile && variablesOfProfile(profile);
  const place = { variable: (name: string) => environment(name) ?? ofProfile?.(name), profile };
  return { ...(await selectFrom(place, surroundings, [candidate])), profile };
}

/**
 * The identity that these variables name.
 *
 * @param looked What was looked for before.
 */
export async function selectFrom(
  place: AuthPlace,
  surroundings: WorkspaceAuthSurroundings,
  looked: readonly AuthCandidate[] = [],
): Promise<Selection> {
  const { variable, profile } = place;
  if (profile?.file.warning) surroundings.warn(profile.file.warning);
  const pinned = variable("DATABRICKS_AUTH_TYPE");
  const found = pinned === undefined ? await search(place, surroundings, looked) : takePinned(pinned, place, looked);
  return found.auth && profile ? { ...found, auth: ofWorkspace(found.auth, profile) } : found;
}

type Choice =
  | { readonly profile: Profile | undefined; readonly candidate: AuthCandidate }
  | { readonly problem: ConfigProblem };

/** The profile that is named; and where nothing else is, the one that the tools of Databricks take by default. */
async function chooseProfile(environment: EnvironmentVariables): Promise<Choice> {
  const own = environment("DATABRICKS_CONFIG_PROFILE");
  const pinned = environment("DATABRICKS_AUTH_TYPE");
  const set = authKinds.flatMap(({ names }) => names.filter((name) => isSet(environment, name)));
  if (own === undefined) {
    const [first] = ["DATABRICKS_HOST", "DATABRICKS_AUTH_TYPE", ...set].filter((name) => environment(name));
    if (first !== undefined) return { profile: undefined, candidate: profileRow("skipped", `${first} is set`) };
    return defaultProfile(environment);
  }
  if (set.length > 0 && pinned === undefined) {
    return {
      problem: {
        option: "auth",
        variable: ["DATABRICKS_CONFIG_PROFILE", ...set].join(", "),
        message: "is ambiguous: the profile names one identity and the other variables another; remove one of the two",
      },
    };
  }
  try {
    const profile = await findProfile(environment, undefined, own);
    const { host } = profile.fields;
    const given = environment("DATABRICKS_HOST");
    if (host && given !== undefined && workspaceOrigin(host) !== workspaceOrigin(given)) {
      return {
        problem: {
          option: "workspaceHost",
          variable: "DATABRICKS_HOST",
          message: `is ${workspaceOrigin(given)}, but the profile ${own} (DATABRICKS_CONFIG_PROFILE) belongs to ${workspaceOrigin(host)}; remove one of the two`,
        },
      };
    }
    return { profile, candidate: profileRow("used", `${own} of ${profile.file.path} (DATABRICKS_CONFIG_PROFILE)`) };
  } catch (error) {
    return { problem: problemOf(error) };
  }
}

async function defaultProfile(environment: EnvironmentVariables): Promise<Choice> {
  const path = configFilePath(environment);
  const none = (reason: string) => ({ profile: undefined, candidate: profileRow("missing", reason) });
  if (path === undefined) return none("DATABRICKS_CONFIG_PROFILE and HOME are not set");
  try {
    const file = await readConfigFile(path);
    const profile = file && profileOf(file);
    if (profile) return { profile, candidate: profileRow("used", `${profile.name} of ${path}, the default`) };
    const absent = file
      ? `${path} has no default profile; DATABRICKS_CONFIG_PROFILE names one`
      : `${path} is not there`;
    return none(absent);
  } catch (error) {
    return none(problemOf(error).message);
  }
}

function profileRow(outcome: AuthCandidate["outcome"], reason: string): AuthCandidate {
  return { type: "profile", outcome, reason };
}

/** @throws what is not about the configuration. */
function problemOf(error: unknown): ConfigProblem {
  const [problem] = isLakebaseError(error, "ERR_LAKEBASE_CONFIG") ? (error.problems ?? []) : [];
  if (problem) return problem;
  throw error;
}

function takePinned(type: string, place: AuthPlace, looked: readonly AuthCandidate[]): Selection {
  const method = authMethods.find((candidate) => candidate.type === type);
  const rows = authMethods.map((other): AuthCandidate => {
    if (other !== method) return skipped(other, "DATABRICKS_AUTH_TYPE names another one");
    return { type, ...judge(method, place) };
  });
  const candidates = [...looked, ...rows];
  const problem = (message: string): Selection => ({
    candidates,
    problem: { option: "auth", variable: "DATABRICKS_AUTH_TYPE", message },
  });
  if (!method) {
    const supported = authMethods.map((candidate) => candidate.type).join(", ");
    const advice = Object.hasOwn(otherMethods, type) ? `is ${type}, which ${otherMethods[type]}` : undefined;
    return problem(advice ?? `must be one of ${supported}`);
  }
  const { outcome, reason } = judge(method, place);
  if (outcome === "missing") return problem(`is ${type}, but ${reason}`);
  return { candidates, auth: method.create(place) };
}

/** Whether all is there that a method needs. */
function judge({ needs }: AuthMethod, { variable, profile }: AuthPlace): Pick<AuthCandidate, "outcome" | "reason"> {
  const names = needs({ variable, profile });
  const lacking = names.filter((name) => !isSet(variable, name));
  if (lacking.length > 0) return { outcome: "missing", reason: `${listOf(lacking)} not set` };
  const where = profile ? ` in the profile ${profile.name}` : "";
  return { outcome: "used", reason: names.length > 0 ? `${listOf(names)} set${where}` : `nothing else is set${where}` };
}

/**
 * The first method for which everything is there. What is set for one kind of identity shuts out the others: half of it is
 * most often a typo, and a typo must not make somebody else of you.
 */
async function search(
  place: AuthPlace,
  surroundings: WorkspaceAuthSurroundings,
  looked: readonly AuthCandidate[],
): Promise<Selection> {
  const { variable } = place;
  const kinds = authKinds
    .map((kind) => ({ ...kind, names: kind.names.filter((name) => isSet(variable, name)) }))
    .filter(({ names }) => names.length > 0);
  const set = kinds.flatMap(({ names }) => names);
  const [only] = kinds;
  if (kinds.length > 1) {
    const types = authMethods.filter(({ kind }) => kinds.some(({ name }) => name === kind)).map(({ type }) => type);
    const message = `is ambiguous: ${listOf(set)} set, for different identities; remove all but one's, or choose with DATABRICKS_AUTH_TYPE=${types.join(" or ")}`;
    return { candidates: looked, problem: { option: "auth", variable: set.join(", "), message } };
  }
  if (only?.unsupported !== undefined) {
    const message = `is for an identity that ${only.unsupported}`;
    return { candidates: looked, problem: { option: "auth", variable: set.join(", "), message } };
  }

  const open: AuthMethod[] = [];
  const rows = new Map<AuthMethod, AuthCandidate>();
  for (const method of authMethods) {
    const { outcome, reason } = judge(method, place);
    const unfit = method.unfit?.(variable);
    if (only && method.kind !== only.name) rows.set(method, skipped(method, `${listOf(set)} set`));
    else if (outcome === "missing" || unfit !== undefined) {
      rows.set(method, { type: method.type, outcome: "missing", reason: unfit ?? reason });
    } else open.push(method);
  }
  const candidates = () => [...looked, ...authMethods.flatMap((method) => rows.get(method) ?? [])];
  // Programs last: nothing says that the one who is signed in to them is meant.
  open.sort((a, b) => Number(a.probe !== undefined) - Number(b.probe !== undefined));
  for (const [index, method] of open.entries()) {
    let absent: string | undefined;
    try {
      absent = await method.probe?.(place, surroundings);
    } catch (error) {
      surroundings.signal.throwIfAborted();
      if (!isLakebaseError(error)) throw error;
      rows.set(method, { type: method.type, outcome: "missing", reason: error.message });
      // Whoever comes after it would be somebody else.
      return { candidates: candidates(), failure: error };
    }
    if (absent !== undefined) {
      rows.set(method, { type: method.type, outcome: "missing", reason: absent });
      continue;
    }
    const { reason } = judge(method, place);
    rows.set(method, { type: method.type, outcome: "used", reason: method.probe ? "somebody is signed in" : reason });
    for (const other of open.slice(index + 1)) rows.set(other, skipped(other, `${method.type} comes first`));
    return { candidates: candidates(), auth: method.create(place) };
  }

  const missing = candidates().filter(({ outcome }) => outcome === "missing");
  const list = missing.map(({ type, reason }) => `\n      ${type}: ${reason}`).join("");
  return {
    candidates: candidates(),
    problem: {
      option: "auth",
      variable: only ? set.join(", ") : "DATABRICKS_…",
      message: only
        ? `${only.names.length > 1 ? "are" : "is"} set, but not what belongs to it:${list}`
        : `no identity was found to fetch tokens with; set what one of these needs, or give for example clientCredentials({ clientId, clientSecret }):${list}`,
    },
  };
}

function skipped({ type }: AuthMethod, reason: string): AuthCandidate {
  return { type, outcome: "skipped", reason };
}

/** "A is", "A and B are": what follows is said of all. */
function listOf(names: readonly string[]): string {
  return `${names.join(" and ")} ${names.length > 1 ? "are" : "is"}`;
}

/** An identity of a profile is for the profile's workspace. */
function ofWorkspace(auth: WorkspaceAuth, { fields }: Profile): WorkspaceAuth {
  const { host, workspace_id: id } = fields;
  return {
    kind: auth.kind,
    user: auth.user,
    workspaceHost: () => host || undefined,
    async getToken(context) {
      const token = await auth.getToken(context);
      return id ? { ...token, headers: { "x-databricks-workspace-id": id, ...token.headers } } : token;
    },
  };
}
