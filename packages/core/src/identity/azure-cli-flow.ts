import { configError } from "../errors.ts";
import type { WorkspaceAuthContext } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { checkTexts } from "./auth-options.ts";
import type { AzureCliOptions } from "./azure-cli.ts";
import { azureCloudOf, azureOptionNames, databricksApplication, isAzureCloud } from "./azure-workspace.ts";
import {
  absentIdentity,
  askCommandLine,
  type CommandAnswer,
  type CommandContext,
  type CommandLine,
  tokenOf,
} from "./command-line.ts";
import { isTokenText } from "./token-answer.ts";

const name = "the Azure CLI";

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
  checkTexts("azureCli", options, ["tenantId", "path", ...azureOptionNames]);
  if (!isAzureCloud(options.azureCloud)) {
    throw configError([
      { option: "auth: azureCli.azureCloud", message: 'must be "public", "usgovernment" or "china"' },
    ]);
  }
  const { azureResourceId, loginAppId = databricksApplication } = options;
  return {
    async getToken(context) {
      const answer = await tokenFor(loginAppId, options, context);
      if (!("json" in answer)) throw absentIdentity("absent" in answer ? answer.absent : `${name} gave no token`);
      const { accessToken, expires_on: epoch, expiresOn } = answer.json;
      const token = tokenOf(name, accessToken, endOf(epoch, expiresOn), context.now());
      return azureResourceId === undefined
        ? token
        : { ...token, headers: await headersOf(azureResourceId, options, context) };
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
  { path, tenantId, azureResourceId }: AzureCliOptions,
  context: CommandContext,
): Promise<CommandAnswer> {
  const subscription = azureResourceId?.split("/")[2];
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
async function headersOf(
  resourceId: string,
  options: AzureCliOptions,
  context: WorkspaceAuthContext,
): Promise<Record<string, string>> {
  const headers = { "x-databricks-azure-workspace-resource-id": resourceId };
  const { management } = azureCloudOf(options, context.workspaceHost);
  const answer = await tokenFor(management, options, context).catch(() => undefined);
  context.signal.throwIfAborted();
  const token = answer && "json" in answer ? answer.json.accessToken : undefined;
  return isTokenText(token) ? { ...headers, "x-databricks-azure-sp-management-token": token } : headers;
}
