import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LocalLakebase } from "@x/lakebase-local";
import type { Programs } from "../../stand-ins/programs.ts";

/** In the order in which they are shown. */
export const wayNames = [
  "m2m",
  "file-oidc",
  "account-wide",
  "cli",
  "profile",
  "pat",
  "apps",
  "instance",
  "native",
] as const;
export type WayName = (typeof wayNames)[number];

/** One way to be somebody: what stands in the environment, and who that is. */
export interface Way {
  /** By which the command line knows it. */
  readonly name: WayName;
  readonly what: string;
  /** Every variable that the program is given. */
  readonly env: Readonly<Record<string, string>>;
  /** The Postgres role. */
  readonly user: string;
  /** By which kind of secret Postgres lets it in. */
  readonly password: "credential" | "native";
  /** What the platform does now and then while the program runs. */
  readonly renew?: () => Promise<void>;
}

/**
 * The environments in which one and the same program finds its identity and its database.
 *
 * @param programs The Databricks CLI of somebody's machine, and its home folder, where files of identities may lie.
 */
export async function prepareWays(local: LocalLakebase, programs: Programs): Promise<Way[]> {
  const { clientId, clientSecret } = local.servicePrincipal;
  // What a local Lakebase needs and the real one does not: an own authority, and hosts that are in no DNS.
  const place = pick(local.env, ["LAKEBASE_WORKSPACE_CA", "PGHOSTADDR", "PGPORT", "PGSSLROOTCERT"]);
  const workspace = { ...place, DATABRICKS_HOST: local.workspaceUrl };
  const endpoint = { LAKEBASE_ENDPOINT: local.endpoint };
  const tokenFile = join(programs.home, "subject-token");
  // Good for ten minutes: Kubernetes writes such a file anew before it ends.
  const renew = async () => writeFile(tokenFile, `${await local.issueSubjectToken()}\n`, { mode: 0o600 });
  await renew();
  await programs.databricks.signIn("staging", local.user.userName);
  await programs.writeConfig(
    [
      `[staging]\nhost = ${local.workspaceUrl}\nauth_type = databricks-cli\n`,
      `[robot]\nhost = ${local.workspaceUrl}\nclient_id = ${clientId}\nclient_secret = ${clientSecret}\n`,
    ].join("\n"),
  );

  const credential = (name: WayName, what: string, user: string, env: Way["env"]): Way => {
    return { name, what, env, user, password: "credential" };
  };
  return [
    credential("m2m", "service principal (M2M)", clientId, {
      ...workspace,
      ...endpoint,
      DATABRICKS_CLIENT_ID: clientId,
      DATABRICKS_CLIENT_SECRET: clientSecret,
    }),
    {
      ...credential("file-oidc", "token federation, from a file", clientId, {
        ...workspace,
        ...endpoint,
        DATABRICKS_CLIENT_ID: clientId,
        DATABRICKS_OIDC_TOKEN_FILEPATH: tokenFile,
      }),
      renew,
    },
    credential("account-wide", "token federation, account-wide", local.user.userName, {
      ...workspace,
      ...endpoint,
      DATABRICKS_AUTH_TYPE: "env-oidc",
      DATABRICKS_OIDC_TOKEN: await local.issueSubjectToken({ subject: local.user.userName, lifeSeconds: 3 * 3600 }),
    }),
    credential("cli", "Databricks CLI, by a profile", local.user.userName, {
      ...place,
      ...programs.env,
      ...endpoint,
      DATABRICKS_CONFIG_PROFILE: "staging",
    }),
    credential("profile", "profile that holds a client secret", clientId, {
      ...place,
      ...programs.env,
      ...endpoint,
      DATABRICKS_CONFIG_PROFILE: "robot",
    }),
    credential("pat", "personal access token", local.user.userName, {
      ...workspace,
      ...endpoint,
      DATABRICKS_TOKEN: local.user.personalAccessToken,
    }),
    credential("apps", "Databricks Apps", clientId, {
      ...workspace,
      DATABRICKS_CLIENT_ID: clientId,
      DATABRICKS_CLIENT_SECRET: clientSecret,
      PGHOST: local.host,
      PGDATABASE: local.database,
      PGUSER: clientId,
      PGSSLMODE: "require",
      PGAPPNAME: "the-app",
    }),
    credential("instance", "a Provisioned instance", clientId, {
      ...workspace,
      DATABRICKS_CLIENT_ID: clientId,
      DATABRICKS_CLIENT_SECRET: clientSecret,
      LAKEBASE_INSTANCE_NAME: local.instance,
    }),
    {
      name: "native",
      what: "native Postgres role",
      env: {
        ...place,
        PGHOST: local.host,
        PGUSER: local.nativeRole.user,
        PGPASSWORD: local.nativeRole.password,
      },
      user: local.nativeRole.user,
      password: "native",
    },
  ];
}

function pick(from: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, from[name] ?? ""]));
}
