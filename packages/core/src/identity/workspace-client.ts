import type { WorkspaceAuth } from "../workspace-auth.ts";
import { lazyAuth } from "./lazy-auth.ts";

/** What is used of the official SDK's `WorkspaceClient`. */
export interface SdkWorkspaceClient {
  readonly config: {
    getHost(): Promise<URL>;
    authenticate(headers: Headers): Promise<void>;
    readonly skipVerify?: boolean | undefined;
  };
}

/**
 * The identity of a `WorkspaceClient` of the official SDK (`@databricks/sdk-experimental`), and its workspace: what your
 * application has set up there is not set up twice. The client is asked for a token whenever one is needed; our calls do
 * not go through it, because it does not verify TLS unless its config says `skipVerify: false`. A `warning` event tells
 * you when it does not: its own calls may have given the token away already.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` at the first login, when it is no such client.
 * @example
 * ```ts
 * import { createLakebase, type SdkWorkspaceClient, workspaceClient } from "@x/lakebase-core";
 *
 * export const connect = (client: SdkWorkspaceClient) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     auth: workspaceClient(client),
 *   });
 * ```
 */
export function workspaceClient(client: SdkWorkspaceClient): WorkspaceAuth {
  return lazyAuth("workspaceClient", client);
}
