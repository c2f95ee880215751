import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { EnvironmentVariables } from "../config/reader.ts";
import { configError } from "../errors.ts";

/** A profile's fields, by the names that they have in the file. */
export type ProfileFields = Readonly<Record<string, string>>;

/** What the tools of Databricks share on a machine: `.databrickscfg`. */
export interface ConfigFile {
  readonly path: string;
  readonly profiles: ReadonlyMap<string, ProfileFields>;
  /** The one that was chosen with `databricks auth switch`. */
  readonly defaultProfile: string | undefined;
  /** Others on the machine can read it, and there may be secrets in it. */
  readonly warning: string | undefined;
}

export interface Profile {
  readonly name: string;
  readonly fields: ProfileFields;
  readonly file: ConfigFile;
}

/** Not a profile: the CLI keeps its own choices there. */
const settingsSection = "__settings__";
/** The profile of those who have named none. */
const unnamedProfile = "DEFAULT";

/**
 * Where the file is.
 *
 * @returns `undefined` where the environment has no home: without an environment nobody's file is read.
 */
export function configFilePath(variable: EnvironmentVariables, given?: string): string | undefined {
  const home = variable("HOME") ?? variable("USERPROFILE");
  const path = given ?? variable("DATABRICKS_CONFIG_FILE") ?? "~/.databrickscfg";
  if (!/^~(?=[\\/]|$)/.test(path)) return path;
  return home === undefined ? undefined : join(home, path.slice(1));
}

/**
 * Reads the file.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when it is there and cannot be read.
 */
export async function readConfigFile(path: string): Promise<ConfigFile | undefined> {
  let text: string;
  let mode: number;
  try {
    [text, { mode }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw profileError(`${path} cannot be read (${code})`);
  }
  const { default: ini } = await import("ini");
  const profiles = new Map<string, ProfileFields>();
  for (const [name, section] of Object.entries(ini.parse(withPlainNames(text)))) {
    if (Object(section) !== section) continue;
    const values = Object.entries(section as Record<string, unknown>).filter(([, value]) => typeof value !== "object");
    profiles.set(name, Object.fromEntries(values.map(([field, value]) => [field, String(value)])));
  }
  const defaultProfile = profiles.get(settingsSection)?.default_profile;
  profiles.delete(settingsSection);
  const shared = process.platform !== "win32" && (mode & 0o044) !== 0;
  const warning = `${path} can be read by other users of this machine (mode ${(mode & 0o777).toString(8)}); run \`chmod 600\` on it`;
  return { path, profiles, defaultProfile: defaultProfile || undefined, warning: shared ? warning : undefined };
}

/** Without this the parser would make a tree of the profile `dev.eu`. */
function withPlainNames(text: string): string {
  return text
    .replace(/^\uFEFF/, "")
    .replace(/^[ \t]*\[([^\]\r\n]*)\]/gm, (_, name: string) => `[${name.replaceAll(".", "\\.")}]`);
}

/**
 * The profile of this name; without a name the one that the tools of Databricks take by default.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when there is none, with the names of those that there are.
 */
export async function findProfile(
  variable: EnvironmentVariables,
  givenFile: string | undefined,
  name: string | undefined,
): Promise<Profile> {
  const path = configFilePath(variable, givenFile);
  const file = path === undefined ? undefined : await readConfigFile(path);
  const wanted = name === undefined ? "a profile" : `the profile ${JSON.stringify(name)}`;
  if (!file)
    throw profileError(`${wanted} is needed, but ${path ?? "a home folder, and .databrickscfg in it,"} is not there`);
  const profile = profileOf(file, name ?? variable("DATABRICKS_CONFIG_PROFILE"));
  if (profile) return profile;
  const others = [...file.profiles.keys()].join(", ") || "none";
  throw profileError(`${wanted} is needed, but is not in ${file.path}; the profiles there are: ${others}`);
}

/** A profile of a file. One without fields is none: the CLI leaves `[DEFAULT]` behind. */
export function profileOf(file: ConfigFile, name = file.defaultProfile ?? unnamedProfile): Profile | undefined {
  const fields = file.profiles.get(name);
  return fields && Object.keys(fields).length > 0 ? { name, fields, file } : undefined;
}

function profileError(message: string) {
  return configError([{ option: "auth", variable: "DATABRICKS_CONFIG_PROFILE and DATABRICKS_CONFIG_FILE", message }]);
}

/** Variables that say the same thing as a field of a profile. */
const variableOfField: Readonly<Record<string, string>> = {
  host: "DATABRICKS_HOST",
  token: "DATABRICKS_TOKEN",
  auth_type: "DATABRICKS_AUTH_TYPE",
  client_id: "DATABRICKS_CLIENT_ID",
  client_secret: "DATABRICKS_CLIENT_SECRET",
  username: "DATABRICKS_USERNAME",
  password: "DATABRICKS_PASSWORD",
  account_id: "DATABRICKS_ACCOUNT_ID",
  workspace_id: "DATABRICKS_WORKSPACE_ID",
  audience: "DATABRICKS_TOKEN_AUDIENCE",
  oidc_token_env: "DATABRICKS_OIDC_TOKEN_ENV",
  databricks_id_token_filepath: "DATABRICKS_OIDC_TOKEN_FILEPATH",
  discovery_url: "DATABRICKS_DISCOVERY_URL",
  databricks_cli_path: "DATABRICKS_CLI_PATH",
  metadata_service_url: "DATABRICKS_METADATA_SERVICE_URL",
  azure_workspace_resource_id: "DATABRICKS_AZURE_RESOURCE_ID",
  azure_use_msi: "ARM_USE_MSI",
  azure_client_id: "ARM_CLIENT_ID",
  azure_client_secret: "ARM_CLIENT_SECRET",
  azure_tenant_id: "ARM_TENANT_ID",
  azure_environment: "ARM_ENVIRONMENT",
  azure_login_app_id: "DATABRICKS_AZURE_LOGIN_APP_ID",
  google_service_account: "DATABRICKS_GOOGLE_SERVICE_ACCOUNT",
  google_credentials: "GOOGLE_CREDENTIALS",
};
const fieldOfVariable = new Map(Object.entries(variableOfField).map(([field, name]) => [name, field]));

/** A profile as the environment that says the same. */
export function variablesOfProfile({ fields }: Profile): EnvironmentVariables {
  return (name) => {
    const field = fieldOfVariable.get(name);
    return (field !== undefined && Object.hasOwn(fields, field) && fields[field]?.trim()) || undefined;
  };
}

/** Whether a profile can say what this variable says. */
export function isProfileVariable(name: string): boolean {
  return fieldOfVariable.has(name);
}
