import type { EnvironmentAuth } from "../config.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { clientCredentials } from "./client-credentials.ts";
import { personalAccessToken } from "./personal-access-token.ts";

/** The identity that the environment names. */
export function authFromEnvironment(found: EnvironmentAuth): WorkspaceAuth {
  switch (found.from) {
    case "client-credentials":
      return clientCredentials(found);
    case "personal-access-token":
      return personalAccessToken(found.token);
  }
}
