import { LakebaseError } from "../errors.ts";
import { isSecret } from "../secret.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { exchangeFlow } from "./subject-token-flow.ts";
import type { TokenExchangeOptions } from "./token-exchange.ts";

/** Exchanges what the application's own function answers. */
export function createFlow(options: TokenExchangeOptions): AuthFlow {
  return exchangeFlow("tokenExchange", options, ["subjectToken"], async () => {
    try {
      const token: unknown = await options.subjectToken();
      return isSecret(token) ? token.reveal() : token;
    } catch (error) {
      throw new LakebaseError("ERR_LAKEBASE_UNAUTHENTICATED", "tokenExchange: the function `subjectToken` failed", {
        cause: error,
        retryable: true,
      });
    }
  });
}
