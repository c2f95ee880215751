import { LakebaseError } from "../errors.ts";
import { createSecret, isSecret } from "../secret.ts";
import type { AccessTokenProvider } from "./access-token.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { isTokenText } from "./token-answer.ts";

/** Asks the application for its token, and believes nothing of what it answers. */
export function createFlow(provider: AccessTokenProvider): AuthFlow {
  return {
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
