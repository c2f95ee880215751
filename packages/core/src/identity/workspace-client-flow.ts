import { configError, LakebaseError } from "../errors.ts";
import { createSecret } from "../secret.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { isTokenText } from "./token-answer.ts";
import type { SdkWorkspaceClient } from "./workspace-client.ts";

/** Headers that the SDK may put beside the bearer: only Azure's belong to the identity. */
const ofIdentity = /^x-databricks-azure-/i;

/** The identity of the official SDK's client. */
export function createFlow(client: SdkWorkspaceClient): AuthFlow {
  const config: Partial<SdkWorkspaceClient["config"]> | undefined = client?.config;
  if (!isConfig(config)) {
    throw configError([
      { option: "auth: workspaceClient", message: "must be a WorkspaceClient of @databricks/sdk-experimental" },
    ]);
  }
  return {
    async workspaceHost({ warn }) {
      if (!verifiesTls(client)) {
        warn(
          "the WorkspaceClient given to workspaceClient() does not verify TLS in its own calls: whoever stands between can read its token and answer in the workspace's place; give its config `skipVerify: false`",
        );
      }
      return (await asked("names no workspace", () => config.getHost())).href;
    },
    async getToken() {
      const headers = new Headers();
      await asked("has no token", () => config.authenticate(headers));
      const token = /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
      if (!isTokenText(token)) throw refusal("put no bearer token on a request");
      return {
        token: createSecret(token),
        headers: Object.fromEntries([...headers].filter(([name]) => ofIdentity.test(name))),
      };
    },
  };
}

function isConfig(config: Partial<SdkWorkspaceClient["config"]> | undefined): config is SdkWorkspaceClient["config"] {
  return typeof config?.authenticate === "function" && typeof config.getHost === "function";
}

/** The SDK's errors hold its whole config, secrets included: they are neither quoted nor handed on. */
async function asked<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { name = "Error" } = Object(error) as { name?: unknown };
    throw refusal(`${what} (${String(name)}); \`await client.config.authenticate(new Headers())\` shows why`);
  }
}

function refusal(message: string): LakebaseError {
  return new LakebaseError("ERR_LAKEBASE_UNAUTHENTICATED", `the WorkspaceClient given to workspaceClient() ${message}`);
}

/** As the SDK itself decides it: an agent of its own verifies only where `skipVerify` is `false`, and not where it is left out. */
function verifiesTls(client: SdkWorkspaceClient): boolean {
  const { apiClient } = client as { apiClient?: { _agent?: { options?: { rejectUnauthorized?: boolean } } } };
  const agent = apiClient?._agent;
  return agent ? agent.options?.rejectUnauthorized !== false : client.config.skipVerify === false;
}
