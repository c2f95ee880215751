import { configError, LakebaseError } from "../errors.ts";
import { createSecret, isSecret, type Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { isTokenText } from "./token-answer.ts";

/**
 * A workspace access token that your application already holds and keeps fresh. The function is called when a new
 * credential is to be minted, about once an hour, and again at once when the workspace answers 401 to its token.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when it is given anything but a function: a token in a string would be
 * dead within the hour.
 * @example
 * ```ts
 * import { accessToken, createLakebase } from "@x/lakebase-core";
 *
 * export const connect = (currentToken: () => Promise<string>) =>
 *   createLakebase({
 *     endpoint: "projects/shop/branches/production/endpoints/primary",
 *     workspaceHost: "https://acme.cloud.databricks.com",
 *     auth: accessToken(currentToken),
 *   });
 * ```
 */
export function accessToken(provider: () => string | Secret | Promise<string | Secret>): WorkspaceAuth {
  if (typeof provider !== "function") {
    throw configError([
      {
        option: "auth: accessToken",
        message: "must be a function that answers the current token, for example () => session.accessToken",
      },
    ]);
  }
  return {
    kind: "access-token",
    async getToken() {
      let value: unknown;
      try {
        value = await provider();
      } catch (error) {
        throw new LakebaseError("ERR_LAKEBASE_UNAUTHENTICATED", "the function given to accessToken() failed", {
          cause: error,
          retryable: true,
        });
      }
      const text = isSecret(value) ? value.reveal() : value;
      if (!isTokenText(text)) {
        throw new LakebaseError(
          "ERR_LAKEBASE_UNAUTHENTICATED",
          `the function given to accessToken() answered ${typeof text === "string" ? "a string that is not a token" : typeof text}`,
        );
      }
      return { token: createSecret(text) };
    },
  };
}
