import type { ResolvedConfig } from "../config.ts";
import type { ConfigProblem } from "../errors.ts";
import { isLakebaseHost } from "../host.ts";
import { identityKeys, targetKeys } from "../options.ts";
import { endpointForm } from "../target.ts";
import type { WorkspaceAuth } from "../workspace-auth.ts";

/**
 * What is not there yet. Asked at the first login, so that a module can be imported where there is no environment; and
 * loaded only then.
 */
export function whatIsMissing(
  { target, host, identity, fromOptions }: ResolvedConfig,
  { auth, workspaceHost }: { readonly auth?: WorkspaceAuth | undefined; readonly workspaceHost?: string | undefined },
): ConfigProblem[] {
  /** Why the environment did not help. */
  const unread = (shutOut: boolean, keys: readonly string[]) =>
    shutOut
      ? `; the environment is not read for it, because one of ${keys.join(", ")} is given as an option, or stands in connectionString`
      : "";
  const missing: ConfigProblem[] = [];
  if (identity.kind === "native") {
    const needed = "is needed beside a password";
    if (!identity.user) {
      const why = fromOptions.identity ? unread(true, identityKeys) : unread(fromOptions.target, targetKeys);
      missing.push({ option: "user", variable: "PGUSER", message: `${needed}: the native role${why}` });
    }
    if (!host) {
      const why = `, because no workspace is asked for it${unread(fromOptions.target, targetKeys)}`;
      missing.push({ option: "host", variable: "PGHOST", message: `${needed}${why}` });
    }
    return missing;
  }
  // Without options the environment decides, and identity/environment.ts says what is missing in it.
  if (!auth && fromOptions.identity) {
    missing.push({
      option: "auth",
      message: `is needed to fetch tokens, for example clientCredentials({ clientId, clientSecret })${unread(true, identityKeys)}`,
    });
  }
  if (!workspaceHost) {
    missing.push({
      option: "workspaceHost",
      variable: "DATABRICKS_HOST",
      message: `is needed to fetch tokens: https://<workspace>${unread(fromOptions.identity, identityKeys)}`,
    });
  }
  if (target === undefined) {
    missing.push({
      option: "endpoint",
      variable: "LAKEBASE_ENDPOINT",
      message: `is needed to know what to connect to: ${endpointForm}; or \`branch\`, \`project\`, \`instance\` (LAKEBASE_INSTANCE_NAME) or \`host\` (PGHOST)${unread(fromOptions.target, targetKeys)}`,
    });
  } else if (target.kind === "host" && !isLakebaseHost(target.name)) {
    missing.push({
      option: "endpoint",
      variable: "LAKEBASE_ENDPOINT or LAKEBASE_INSTANCE_NAME",
      message: `is needed beside the host, because tokens are minted for it: ${endpointForm}, or \`instance\`${unread(fromOptions.target, targetKeys)}`,
    });
  }
  return missing;
}
