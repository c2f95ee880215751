import type { WorkspaceAuthContext } from "../workspace-auth.ts";
import { checkTexts } from "./auth-options.ts";
import type { AzureCliOptions } from "./azure-cli.ts";
import {
  absentIdentity,
  askCommandLine,
  type CommandAnswer,
  type CommandContext,
  type CommandLine,
  tokenOf,
} from "./command-line.ts";
import type { AuthFlow } from "./lazy-auth.ts";

const name = "the Azure CLI";
/** Databricks in every Entra tenant (https://learn.microsoft.com/azure/databricks/dev-tools/auth/azure-cli). */
const databricksApplication = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

const commandLine = (path = "az"): CommandLine => ({
  name,
  path,
  install: "see https://learn.microsoft.com/cli/azure/install-azure-cli",
  complaints: [
    // A managed identity is of one tenant, and the program will not have it named.
    { phrase: /tenant shouldn't be specified/i, other: true },
    {
      phrase: /AADSTS90002|tenant .*not found/i,
      error: {
        code: "ERR_LAKEBASE_CONFIG",
        retryable: false,
        message: "knows no such tenant; check ARM_TENANT_ID, or azureCli({ tenantId })",
      },
    },
    {
      phrase: /AADSTS(?:500011|650057|65001)/,
      error: {
        code: "ERR_LAKEBASE_PERMISSION_DENIED",
        retryable: false,
        message: "may not have tokens for Databricks in this tenant; is it the tenant of the workspace?",
      },
    },
    { phrase: /az login|no subscription found|AADSTS/i, absent: `nobody is signed in to ${name}; run \`az login\`` },
  ],
});

/** The identity of whoever has signed in with `az login`. */
export function createFlow(options: AzureCliOptions): AuthFlow {
  checkTexts("azureCli", options, ["tenantId", "path"]);
  const { tenantId, path } = options;
  return {
    async getToken(context) {
      const resourceId = context.variable("DATABRICKS_AZURE_RESOURCE_ID");
      const ask = (resource: string) => tokenFor(resource, tenantId, resourceId, path, context);
      const answer = await ask(databricksApplication);
      if (!("json" in answer)) throw absentIdentity("absent" in answer ? answer.absent : `${name} gave no token`);
      const { accessToken, expires_on: epoch, expiresOn } = answer.json;
      const token = tokenOf(name, accessToken, endOf(epoch, expiresOn), context.now());
      return resourceId === undefined ? token : { ...token, headers: await azureHeaders(resourceId, ask, context) };
    },
  };
}

/** Whether anybody is signed in; told without a token. */
export async function probeAzureCli(path: string | undefined, context: CommandContext): Promise<string | undefined> {
  const answer = await askCommandLine(commandLine(path), ["account", "show", "--output", "json"], context);
  return "absent" in answer ? answer.absent : undefined;
}

async function tokenFor(
  resource: string,
  tenantId: string | undefined,
  resourceId: string | undefined,
  path: string | undefined,
  context: CommandContext,
): Promise<CommandAnswer> {
  const subscription = resourceId?.split("/")[2];
  const ask = (...more: string[]) =>
    askCommandLine(
      commandLine(path),
      ["account", "get-access-token", "--resource", resource, "--output", "json", ...more],
      context,
    );
  if (tenantId !== undefined) {
    const answer = await ask("--tenant", tenantId);
    return "other" in answer ? ask() : answer;
  }
  if (subscription) {
    // One may use a workspace without any right to its subscription.
    const answer = await ask("--subscription", subscription).catch(() => undefined);
    if (answer && "json" in answer) return answer;
    context.signal.throwIfAborted();
  }
  return ask();
}

/** When the token ends. Before version 2.54 there is only a local time without its zone. */
function endOf(epoch: unknown, local: unknown): number {
  if (typeof epoch === "number") return epoch * 1000;
  const written = typeof local === "string" ? /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)/.exec(local) : null;
  return written ? Date.parse(`${written[1]}T${written[2]}`) : Number.NaN;
}

/**
 * Where Azure keeps the workspace, for identities that the workspace does not know yet. The second token proves the right
 * to it; who may not have one is a user of the workspace, and needs none.
 */
async function azureHeaders(
  resourceId: string,
  ask: (resource: string) => Promise<CommandAnswer>,
  { workspaceHost, signal }: WorkspaceAuthContext,
): Promise<Record<string, string>> {
  const headers = { "x-databricks-azure-workspace-resource-id": resourceId };
  const answer = await ask(managementOf(workspaceHost)).catch(() => undefined);
  signal.throwIfAborted();
  const token = answer && "json" in answer ? answer.json.accessToken : undefined;
  return typeof token === "string" ? { ...headers, "x-databricks-azure-sp-management-token": token } : headers;
}

function managementOf(workspaceHost: string): string {
  if (workspaceHost.endsWith(".azure.us")) return "https://management.core.usgovcloudapi.net/";
  if (workspaceHost.endsWith(".azure.cn")) return "https://management.core.chinacloudapi.cn/";
  return "https://management.core.windows.net/";
}
