import type { EnvironmentVariables } from "../config/identity-group.ts";
import type { ConfigProblem } from "../errors.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { clientCredentials } from "./client-credentials.ts";
import { personalAccessToken } from "./personal-access-token.ts";

/** The identities that the environment can name, by the word that `DATABRICKS_AUTH_TYPE` has for each. */
const kinds: readonly {
  readonly type: string;
  readonly variables: readonly string[];
  readonly create: (...values: string[]) => WorkspaceAuth;
}[] = [
  {
    type: "pat",
    variables: ["DATABRICKS_TOKEN"],
    create: (token) => personalAccessToken(token as string),
  },
  {
    type: "oauth-m2m",
    variables: ["DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"],
    create: (id, secret) => clientCredentials({ clientId: id as string, clientSecret: secret as string }),
  },
];

/** The identity that the environment names, or what is missing or ambiguous in it. */
export async function authFromEnvironment(
  variable: EnvironmentVariables,
): Promise<{ readonly auth: WorkspaceAuth } | { readonly problem: ConfigProblem }> {
  const problem = (variables: string, message: string) => ({
    problem: { option: "auth", variable: variables, message },
  });
  const type = variable("DATABRICKS_AUTH_TYPE");
  const types = kinds.map((kind) => kind.type).join(" or ");
  if (type !== undefined && !kinds.some((kind) => kind.type === type)) {
    return problem("DATABRICKS_AUTH_TYPE", `must be ${types}`);
  }
  const wanted = kinds.filter((kind) => type === undefined || kind.type === type);
  const complete = wanted.filter(({ variables }) => variables.every(variable));
  const [kind, second] = complete;
  if (second) {
    const set = complete.flatMap(({ variables }) => variables).join(", ");
    return problem(set, `is ambiguous: remove one, or choose with DATABRICKS_AUTH_TYPE=${types}`);
  }
  if (kind) return { auth: kind.create(...kind.variables.map((name) => variable(name) as string)) };

  // Half of a pair is most often a typo in the name of the other half.
  const halves = wanted
    .flatMap(({ variables }) => variables)
    .filter(variable)
    .map((name) => `${name} is set, but not what belongs to it; `);
  return problem(
    wanted.map(({ variables }) => variables.join(" and ")).join(", or "),
    `${halves.join("")}an identity is needed to fetch tokens: set these, or give for example clientCredentials({ clientId, clientSecret })`,
  );
}
