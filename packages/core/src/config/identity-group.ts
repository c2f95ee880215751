import { identityKeys } from "../options.ts";
import { createSecret, type Secret } from "../secret.ts";
import { isWorkspaceAuth, type WorkspaceAuth } from "../workspace-auth.ts";
import { type CertificateSource, readCertificateSource } from "./certificates.ts";
import { type ConfigReader, clash, type EnvironmentVariables, type Found, variablesOf } from "./reader.ts";
import type { TargetGroup } from "./target-group.ts";

/** Who logs in. */
export type Identity =
  | {
      readonly kind: "oauth";
      readonly auth: WorkspaceAuth | undefined;
      /** As it was when the handle was made, where it may be read for an identity; one is made of it when first used. */
      readonly environment: EnvironmentVariables | undefined;
      readonly user: string | undefined;
    }
  | { readonly kind: "native"; readonly user: string; readonly password: Password };

type Password = Secret | (() => string | Promise<string>);

/** What the options or the environment say about the identity; never both. */
export interface IdentityGroup {
  readonly fromOptions: boolean;
  readonly identity: Identity;
  readonly workspaceHost: string | undefined;
  readonly workspaceId: string | undefined;
  readonly workspaceCa: CertificateSource | undefined;
  /** Whether `PGPASSWORD` is set beside a target that is reached with tokens. */
  readonly ignoresPassword: boolean;
}

/** What is wrong with the password of a native role: people put tokens there, which must not go to any host. */
export function passwordProblem(password: string): string | undefined {
  if (/^dapi[0-9a-f]/i.test(password)) {
    return "is a personal access token; give it as `auth: personalAccessToken(…)` or DATABRICKS_TOKEN";
  }
  return /^ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(password)
    ? "is an OAuth token; give `auth` instead, and tokens are refreshed"
    : undefined;
}

/** For what should name a workspace and does not. */
export const notWorkspace = "must be https://<workspace>: tokens and secrets are sent to it";

/**
 * @param ofMany The configuration is for many users, each of whom proves who it is; nobody may be named for all of them. Where
 * the workspace is may come from the environment all the same: that is no person.
 */
export function readIdentity(reader: ConfigReader, target: TargetGroup, ofMany: boolean): IdentityGroup {
  const { options, url } = reader;
  const inUrl = url.user !== undefined || url.password !== undefined;
  if (ofMany) {
    const wrong = (option: string) => reader.problem(option, "would be the same for all users");
    for (const option of ["auth", "user", "password"] as const) if (options[option] !== undefined) wrong(option);
    if (inUrl) wrong("connectionString (user)");
  }
  const fromOptions = reader.given(identityKeys) || inUrl;
  const nobody = ofMany || fromOptions;
  const variable = (name: string, option: string) => (fromOptions ? undefined : reader.variable(name, option));

  // PGUSER is written for the database that PGHOST names: it does not meet a target from the options either.
  const user = reader.optionOrUrl("user") ?? (nobody || target.fromOptions ? undefined : variable("PGUSER", "user"));
  if (user && /[\0\r\n]/.test(user.value)) reader.wrong(user, "holds a control character");
  const fallback = nobody ? undefined : reader.environment.PGPASSWORD;
  const password = readPassword(reader, target, fallback);
  const workspace = reader.option("workspaceHost") ?? variable("DATABRICKS_HOST", "workspaceHost");
  const workspaceCa = reader.option("workspaceCa") ?? variable("LAKEBASE_WORKSPACE_CA", "workspaceCa");
  if (workspaceCa && options.fetch) {
    reader.wrong(workspaceCa, "has no effect on `fetch`; give that function the certificates");
  }
  if (options.auth !== undefined && !isWorkspaceAuth(options.auth)) {
    reader.problem("auth", "must be made by clientCredentials(), personalAccessToken()…");
  }
  const workspaceHost = workspace && workspaceOrigin(workspace.value);
  if (workspace && !workspaceHost) reader.wrong(workspace, notWorkspace);
  const common = {
    fromOptions,
    ignoresPassword: target.isNamed && Boolean(fallback) && password === undefined,
    workspaceHost,
    workspaceId: (reader.option("workspaceId") ?? variable("DATABRICKS_WORKSPACE_ID", "workspaceId"))?.value,
    workspaceCa: readCertificateSource(workspaceCa, reader),
  };
  if (password === undefined) {
    const environment = nobody ? undefined : variablesOf({ ...reader.environment });
    return { ...common, identity: { kind: "oauth", auth: options.auth, environment, user: user?.value } };
  }
  if (options.auth !== undefined) reader.problem("auth", "is given beside a password; remove one");
  return { ...common, identity: { kind: "native", user: user?.value ?? "", password } };
}

function readPassword(reader: ConfigReader, target: TargetGroup, fallback: string | undefined): Password | undefined {
  const { options, url } = reader;
  if (options.password !== undefined && url.password !== undefined) {
    reader.problem("password", clash);
  }
  if (typeof options.password === "function") return options.password;

  // A password is taken as it stands; trimming is for names.
  let found: Found | undefined = reader.option("password") && { value: String(options.password), option: "password" };
  if (url.password !== undefined) found = { value: url.password, option: "connectionString (password)" };
  if (!found && fallback && target.host && !target.isNamed && !target.fromOptions) {
    found = { value: fallback, option: "password", variable: "PGPASSWORD" };
  }
  if (!found) return undefined;
  const problem = passwordProblem(found.value);
  if (problem) reader.wrong(found, problem);
  return createSecret(found.value);
}

/** `https://host[:port]`, or `undefined`; it often comes without a scheme, or with the path of a browser's address bar. */
export function workspaceOrigin(value: string): string | undefined {
  const text = /^[a-z][a-z0-9+.-]*:\//i.test(value) ? value : `https://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url?.protocol === "https:" && !url.username && !url.password && /^https:\/\/[^/]/i.test(text);
  return isOrigin ? url.origin : undefined;
}
