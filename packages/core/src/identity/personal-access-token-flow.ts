import type { Secret } from "../secret.ts";
import type { AuthFlow } from "./auth-flow.ts";

/** The token that it was given: how long it lives is known to its owner only. */
export function createFlow(token: Secret): AuthFlow {
  return { getToken: async () => ({ token, lifetimeMs: Number.POSITIVE_INFINITY }) };
}
