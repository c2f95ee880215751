import type { ConfigProblem } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";
import { clientCredentials } from "./client-credentials.ts";
import { personalAccessToken } from "./personal-access-token.ts";

/** The identities that the environment can name, by the word that `DATABRICKS_AUTH_TYPE` has for each. */
const kinds: readonly {
  readonly type: string;
  readonly variables: readonly string[];
  readonly create: (...secrets: Secret[]) => WorkspaceAuth;
}[] = [
  {
    type: "pat",
    variables: ["DATABRICKS_TOKEN"],
    create: (token) => personalAccessToken(token as Secret),
  },
  {
    type: "oauth-m2m",
    variables: ["DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"],
    create: (id, secret) => clientCredentials({ clientId: (id as Secret).reveal(), clientSecret: secret as Secret }),
  },
];

/** The identity that the environment names, or what is missing or ambiguous in it. */
export function authFromEnvironment(
  environment: Readonly<Record<string, Secret>>,
): { readonly auth: WorkspaceAuth } | { readonly problem: ConfigProblem } {
  const problem = (variable: string, message: string) => ({ problem: { option: "auth", variable, message } });
  const type = environment.DATABRICKS_AUTH_TYPE?.reveal();
  const types = kinds.map((kind) => kind.type).join(" or ");
  if (type !== undefined && !kinds.some((kind) => kind.type === type)) {
    return problem("DATABRICKS_AUTH_TYPE", `must be ${types}`);
  }
  const wanted = kinds.filter((kind) => type === undefined || kind.type === type);
  const complete = wanted.filter(({ variables }) => variables.every((name) => environment[name]));
  const [kind, second] = complete;
  if (second) {
    const set = complete.flatMap(({ variables }) => variables).join(", ");
    return problem(set, `is ambiguous: remove one, or choose with DATABRICKS_AUTH_TYPE=${types}`);
  }
  if (kind) return { auth: kind.create(...kind.variables.map((name) => environment[name] as Secret)) };

  // Half of a pair is most often a typo in the name of the other half.
  const halves = wanted
    .flatMap(({ variables }) => variables)
    .filter((name) => environment[name])
    .map((name) => `${name} is set, but not what belongs to it; `);
  return problem(
    wanted.map(({ variables }) => variables.join(" and ")).join(", or "),
    `${halves.join("")}an identity is needed to fetch tokens: set these, or give for example clientCredentials({ clientId, clientSecret })`,
  );
}
