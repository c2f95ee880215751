import { configError } from "../errors.ts";
import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { checkTexts } from "./auth-options.ts";
import { findProfile, isProfileVariable, variablesOfProfile } from "./config-file.ts";
import type { ConfigProfileOptions } from "./config-profile.ts";
import { selectFrom } from "./environment.ts";
import type { Selection } from "./selection.ts";

/** The identity that a profile's own fields name. */
export function createFlow(options: ConfigProfileOptions & { readonly name?: string | undefined }): AuthFlow {
  checkTexts("configProfile", options, ["name", "file"]);
  const select = (surroundings: WorkspaceAuthSurroundings) => selectProfile(options.name, options.file, surroundings);
  let found: WorkspaceAuth | undefined;
  return {
    select,
    async getToken(context) {
      found ??= authOf(await select(context));
      return found.getToken(context);
    },
  };
}

function authOf({ auth, problem, failure }: Selection): WorkspaceAuth {
  if (auth) return auth;
  throw failure ?? configError(problem ? [problem] : []);
}

async function selectProfile(
  name: string | undefined,
  file: string | undefined,
  surroundings: WorkspaceAuthSurroundings,
): Promise<Selection> {
  const profile = await findProfile(surroundings.variable, file, name);
  const own = variablesOfProfile(profile);
  // What a profile can say is not taken from the environment; a token that it does not name is none of its own either, and
  // its secret goes nowhere that it does not name.
  const tokens = profile.fields.auth_type === "env-oidc" ? [] : ["DATABRICKS_OIDC_TOKEN", "DATABRICKS_OIDC_TOKEN_FILE"];
  const withheld = ["AZURE_AUTHORITY_HOST", ...tokens];
  const variable = (wanted: string) =>
    isProfileVariable(wanted) || withheld.includes(wanted) ? own(wanted) : surroundings.variable(wanted);
  return { ...(await selectFrom({ variable, profile }, surroundings)), profile };
}
