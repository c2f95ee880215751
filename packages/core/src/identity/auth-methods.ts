import type { EnvironmentVariables } from "../config/reader.ts";
import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import { type AzureOptions, azureClientSecret, azureManagedIdentity } from "./azure.ts";
import { azureCli } from "./azure-cli.ts";
import { probeAzureCli } from "./azure-cli-flow.ts";
import { clientCredentials } from "./client-credentials.ts";
import type { Profile } from "./config-file.ts";
import { askDatabricksCli } from "./databricks-cli-flow.ts";
import { lazyAuth } from "./lazy-auth.ts";
import { environmentOidc, fileOidc, githubOidc } from "./oidc.ts";
import { personalAccessToken } from "./personal-access-token.ts";

/** Where an identity is looked for. */
export interface AuthPlace {
  readonly variable: EnvironmentVariables;
  /** The profile that these variables come from, where it is one. */
  readonly profile: Profile | undefined;
}

/** A way to be somebody that the environment can name. */
export interface AuthMethod {
  /** The word that `DATABRICKS_AUTH_TYPE` has for it. */
  readonly type: string;
  readonly kind: string;
  /** The variables that it cannot do without. */
  needs(place: AuthPlace): readonly string[];
  /** Why it cannot be meant, unless `DATABRICKS_AUTH_TYPE` says so. */
  unfit?(variable: EnvironmentVariables): string | undefined;
  /** Asks a program whether somebody is signed in to it: the answer is why nobody is. */
  probe?(place: AuthPlace, surroundings: WorkspaceAuthSurroundings): Promise<string | undefined>;
  create(place: AuthPlace): WorkspaceAuth;
}

/**
 * What says which kind of identity is meant. Two kinds at once are ambiguous, as in the reference SDK
 * (https://github.com/databricks/databricks-sdk-go/blob/main/config/config.go, tag `auth`); here federation is of the
 * kind of the service principal that it is for, and what merely says more about an identity (`ARM_TENANT_ID`) is of none.
 */
export const authKinds: readonly {
  readonly name: string;
  readonly names: readonly string[];
  readonly unsupported?: string;
}[] = [
  { name: "pat", names: ["DATABRICKS_TOKEN"] },
  {
    name: "oauth",
    names: [
      "DATABRICKS_CLIENT_ID",
      "DATABRICKS_CLIENT_SECRET",
      "DATABRICKS_OIDC_TOKEN",
      "DATABRICKS_OIDC_TOKEN_ENV",
      "DATABRICKS_OIDC_TOKEN_FILEPATH",
      "DATABRICKS_OIDC_TOKEN_FILE",
    ],
  },
  { name: "azure", names: ["ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_USE_MSI"] },
  { name: "basic", names: ["DATABRICKS_USERNAME", "DATABRICKS_PASSWORD"], unsupported: "ended with 2024; use OAuth" },
  {
    name: "metadata-service",
    names: ["DATABRICKS_METADATA_SERVICE_URL"],
    unsupported: "is not supported; sign in with `databricks auth login` and set DATABRICKS_AUTH_TYPE=databricks-cli",
  },
  {
    name: "google",
    names: ["DATABRICKS_GOOGLE_SERVICE_ACCOUNT", "GOOGLE_CREDENTIALS"],
    unsupported: "is not supported; use a service principal of Databricks: DATABRICKS_CLIENT_ID and _SECRET",
  },
];

/** Words that tools of Databricks know and this library does not, with what to use instead. */
export const otherMethods: Readonly<Record<string, string>> = {
  basic: "ended with 2024; use oauth-m2m or databricks-cli",
  "metadata-service": "is not supported; use databricks-cli",
  "azure-devops-oidc": "is not supported; fetch the pipeline's OIDC token into DATABRICKS_OIDC_TOKEN, and use env-oidc",
  "github-oidc-azure": "is not supported; use github-oidc with a federation policy of Databricks",
  "google-credentials": "is not supported; use oauth-m2m",
  "google-id": "is not supported; use oauth-m2m",
  "external-browser": "is not supported here; use databricks-cli, or userSession() in your application",
  "oauth-u2m": "is not supported here; use databricks-cli, or userSession() in your application",
  runtime: "exists in notebooks only; use oauth-m2m",
  "runtime-oauth": "exists in notebooks only; use oauth-m2m",
};

const isAzureWorkspace = /\.(?:azuredatabricks\.net|databricks\.azure\.(?:us|cn))(?:[:/]|$)/i;

/** In the order of the reference SDK (https://github.com/databricks/databricks-sdk-go/blob/main/config/auth_default.go). */
export const authMethods: readonly AuthMethod[] = [
  {
    type: "pat",
    kind: "pat",
    needs: () => ["DATABRICKS_TOKEN"],
    create: ({ variable }) => personalAccessToken(variable("DATABRICKS_TOKEN") as string),
  },
  {
    type: "oauth-m2m",
    kind: "oauth",
    needs: () => ["DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"],
    create: ({ variable }) =>
      clientCredentials({
        clientId: variable("DATABRICKS_CLIENT_ID") as string,
        clientSecret: variable("DATABRICKS_CLIENT_SECRET") as string,
        ...discovery(variable),
      }),
  },
  {
    type: "databricks-cli",
    kind: "program",
    needs: ({ profile }) => (profile ? [] : ["DATABRICKS_HOST"]),
    async probe(place, surroundings) {
      const answer = await askDatabricksCli(cliSettings(place), { ...surroundings, forced: false });
      return "absent" in answer ? answer.absent : undefined;
    },
    create: (place) => lazyAuth("databricksCli", cliSettings(place)),
  },
  {
    type: "github-oidc",
    kind: "oauth",
    needs: () => ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
    create: ({ variable }) =>
      githubOidc({ ...federation(variable), ...optional("audience", variable("DATABRICKS_TOKEN_AUDIENCE")) }),
  },
  {
    type: "env-oidc",
    kind: "oauth",
    needs: ({ variable }) => [oidcVariable(variable)],
    create: ({ variable }) => environmentOidc({ ...federation(variable), variable: oidcVariable(variable) }),
  },
  {
    type: "file-oidc",
    kind: "oauth",
    needs: ({ variable }) => [
      variable("DATABRICKS_OIDC_TOKEN_FILE") ? "DATABRICKS_OIDC_TOKEN_FILE" : "DATABRICKS_OIDC_TOKEN_FILEPATH",
    ],
    create: ({ variable }) =>
      fileOidc({
        ...federation(variable),
        path: (variable("DATABRICKS_OIDC_TOKEN_FILEPATH") ?? variable("DATABRICKS_OIDC_TOKEN_FILE")) as string,
      }),
  },
  {
    type: "azure-msi",
    kind: "azure",
    needs: () => ["ARM_USE_MSI"],
    create: ({ variable }) =>
      azureManagedIdentity({ ...optional("clientId", variable("ARM_CLIENT_ID")), ...azure(variable) }),
  },
  {
    type: "azure-client-secret",
    kind: "azure",
    needs: () => ["ARM_CLIENT_ID", "ARM_CLIENT_SECRET"],
    create: ({ variable }) =>
      azureClientSecret({
        clientId: variable("ARM_CLIENT_ID") as string,
        clientSecret: variable("ARM_CLIENT_SECRET") as string,
        tenantId: variable("ARM_TENANT_ID"),
        authorityHost: variable("AZURE_AUTHORITY_HOST"),
        ...azure(variable),
      }),
  },
  {
    type: "azure-cli",
    kind: "program",
    needs: () => [],
    unfit: (variable) =>
      variable("DATABRICKS_AZURE_RESOURCE_ID") || isAzureWorkspace.test(variable("DATABRICKS_HOST") ?? "")
        ? undefined
        : "the workspace is not on Azure",
    probe: (_place, surroundings) => probeAzureCli(undefined, surroundings),
    create: ({ variable }) => azureCli({ tenantId: variable("ARM_TENANT_ID"), ...azure(variable) }),
  },
];

/** Whether a variable says what it is for: some are set to `false`. */
export function isSet(variable: EnvironmentVariables, name: string): boolean {
  const value = variable(name);
  return value !== undefined && (name !== "ARM_USE_MSI" || /^(?:1|t|true)$/i.test(value));
}

function cliSettings({ variable, profile }: AuthPlace) {
  const path = variable("DATABRICKS_CLI_PATH");
  return profile
    ? { profile: profile.name, path, file: profile.file.path }
    : { host: variable("DATABRICKS_HOST"), path };
}

function oidcVariable(variable: EnvironmentVariables): string {
  return variable("DATABRICKS_OIDC_TOKEN_ENV") ?? "DATABRICKS_OIDC_TOKEN";
}

function federation(variable: EnvironmentVariables) {
  return { ...optional("clientId", variable("DATABRICKS_CLIENT_ID")), ...discovery(variable) };
}

function discovery(variable: EnvironmentVariables) {
  return { discoveryUrl: variable("DATABRICKS_DISCOVERY_URL"), accountId: variable("DATABRICKS_ACCOUNT_ID") };
}

function azure(variable: EnvironmentVariables): AzureOptions {
  return {
    azureResourceId: variable("DATABRICKS_AZURE_RESOURCE_ID"),
    // What it can be is checked where it is used.
    azureCloud: variable("ARM_ENVIRONMENT")?.toLowerCase() as AzureOptions["azureCloud"],
    loginAppId: variable("DATABRICKS_AZURE_LOGIN_APP_ID"),
  };
}

/** Left out where it is not set: to be given and undefined is an error, so that nobody becomes somebody else. */
function optional<Name extends string>(name: Name, value: string | undefined): { [name in Name]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [name in Name]?: string };
}
