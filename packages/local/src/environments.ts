import type { ServicePrincipal } from "./directory.ts";
import type { WorkspacePlace } from "./workspace/oauth/authorization-server.ts";

/**
 * Where a program finds itself.
 *
 * - `endpoint`: the Autoscaling endpoint, as the project's owner
 * - `instance`: the same database as a Provisioned instance
 * - `apps`: a Databricks App with this database as its first resource and the app's service principal, which is the
 *   project's owner; the endpoint is not named, as the platform does not name it
 * - `native`: a role with a password, and no workspace at all
 */
export type Surrounding = "endpoint" | "instance" | "apps" | "native";

export interface EnvironmentOptions {
  place: WorkspacePlace;
  servicePrincipal: ServicePrincipal;
  nativeRole: { user: string; password: string };
  endpoint: string;
  instance: string;
  host: string;
  instanceHost: string;
  hostAddress: string;
  port: number;
  database: string;
  caFile: string;
}

/** @returns the variables of each surrounding */
export function createEnvironments(options: EnvironmentOptions): (surrounding: Surrounding) => Record<string, string> {
  const { place, servicePrincipal, nativeRole, caFile } = options;
  const workspace = {
    DATABRICKS_HOST: place.workspaceUrl(),
    DATABRICKS_CLIENT_ID: servicePrincipal.clientId,
    DATABRICKS_CLIENT_SECRET: servicePrincipal.clientSecret,
    ...(place.unified && { DATABRICKS_WORKSPACE_ID: place.workspaceId, DATABRICKS_ACCOUNT_ID: place.accountId }),
    LAKEBASE_WORKSPACE_CA: caFile,
  };
  const postgres = (host: string, user: string) => ({
    PGHOST: host,
    PGHOSTADDR: options.hostAddress,
    PGPORT: String(options.port),
    PGDATABASE: options.database,
    PGUSER: user,
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: caFile,
  });
  const { host, instanceHost } = options;
  const sets: Record<Surrounding, () => Record<string, string>> = {
    endpoint: () => ({
      ...workspace,
      LAKEBASE_ENDPOINT: options.endpoint,
      ...postgres(host, servicePrincipal.clientId),
    }),
    instance: () => ({
      ...workspace,
      LAKEBASE_INSTANCE_NAME: options.instance,
      ...postgres(instanceHost, servicePrincipal.clientId),
    }),
    // What the platform injects for a database, beside what a host in no DNS and a CA of its own need.
    apps: () => ({
      ...workspace,
      ...postgres(host, servicePrincipal.clientId),
      PGSSLMODE: "require",
      PGAPPNAME: "local-app",
    }),
    native: () => ({ ...postgres(host, nativeRole.user), PGPASSWORD: nativeRole.password }),
  };
  return (surrounding) => sets[surrounding]();
}
