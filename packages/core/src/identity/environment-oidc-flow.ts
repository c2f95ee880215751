import { configError } from "../errors.ts";
import type { AuthFlow } from "./auth-flow.ts";
import type { EnvironmentOidcOptions } from "./oidc.ts";
import { exchangeFlow } from "./subject-token-flow.ts";

/** Exchanges what an environment variable holds at that moment. */
export function createFlow(options: EnvironmentOidcOptions): AuthFlow {
  const { variable = "DATABRICKS_OIDC_TOKEN" } = options;
  return exchangeFlow("environmentOidc", options, ["variable"], (context) => {
    const token = context.variable(variable);
    if (token !== undefined) return token;
    throw configError([
      {
        option: "auth: environmentOidc",
        variable,
        message: "is empty; it must hold the JWT of your identity provider",
      },
    ]);
  });
}
