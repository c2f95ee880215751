import { configError } from "../errors.ts";
import type { WorkspaceAuthContext, WorkspaceToken } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { checkTexts } from "./auth-options.ts";
import {
  absentIdentity,
  askCommandLine,
  type CommandAnswer,
  type CommandContext,
  type CommandLine,
  tokenOf,
} from "./command-line.ts";
import { findProfile } from "./config-file.ts";
import type { DatabricksCliOptions } from "./databricks-cli.ts";

/** Which login of the Databricks CLI is meant. */
export interface DatabricksCliSettings extends DatabricksCliOptions {
  /** The file that holds the profile, where it is not the one that the CLI reads by itself. */
  file?: string | undefined;
}

type Surroundings = CommandContext & Pick<WorkspaceAuthContext, "variable" | "forced"> & { workspaceHost?: string };

const name = "the Databricks CLI";

/** The identity of whoever has signed in with `databricks auth login`. */
export function createFlow(settings: DatabricksCliSettings): AuthFlow {
  checkTexts("databricksCli", settings, ["profile", "host", "path", "file"]);
  if (settings.profile && settings.host) {
    throw configError([{ option: "auth: databricksCli", message: "needs a profile or a host, not both" }]);
  }
  return {
    async workspaceHost(context) {
      if (settings.profile === undefined) return settings.host;
      const { fields } = await findProfile(context.variable, settings.file, settings.profile);
      return fields.host;
    },
    async getToken(context) {
      const answer = await askDatabricksCli(settings, context);
      if ("absent" in answer) throw absentIdentity(answer.absent);
      return answer;
    },
  };
}

/** Its token; or, where it has none, why. */
export async function askDatabricksCli(
  settings: DatabricksCliSettings,
  context: Surroundings,
): Promise<WorkspaceToken | { readonly absent: string }> {
  const { profile, host = context.workspaceHost } = settings;
  const whose = profile === undefined ? ["--host", host ?? ""] : ["--profile", profile];
  const commandLine = describe(settings.path ?? context.variable("DATABRICKS_CLI_PATH"), whose.join(" "));
  const file = settings.file;
  const environment = () => ({
    ...context.environment(),
    ...(file === undefined ? {} : { DATABRICKS_CONFIG_FILE: file }),
  });
  const ask = (...more: string[]): Promise<CommandAnswer> =>
    askCommandLine(commandLine, ["auth", "token", ...whose, ...more], { ...context, environment });

  let answer: CommandAnswer = context.forced ? await ask("--force-refresh") : await ask();
  if ("other" in answer) answer = await ask();
  if (!("json" in answer)) return "absent" in answer ? answer : { absent: `${name} is too old` };
  const { access_token: token, expiry } = answer.json;
  const endsAt = typeof expiry === "string" ? Date.parse(expiry) : Number.NaN;
  return { ...tokenOf(name, token, endsAt, context.now()), cached: !context.forced };
}

/** Its complaints, in the words of versions 0.100 to 0.298 and of the Python CLI before them. */
function describe(path = "databricks", whose: string): CommandLine {
  const login = `nobody is signed in to ${name} there; run \`databricks auth login ${whose}\``;
  return {
    name,
    path,
    install: "see https://docs.databricks.com/dev-tools/cli/install, or set DATABRICKS_CLI_PATH",
    complaints: [
      { phrase: /unknown flag: --force-refresh/i, other: true },
      {
        phrase: /no such command|no such option|unknown command "(?:auth|token)"/i,
        absent: `${name} is too old to give out tokens (${path}); install version 0.296 or later`,
      },
      {
        phrase: /match .*use --profile to specify/is,
        error: {
          code: "ERR_LAKEBASE_CONFIG",
          retryable: false,
          message: `has several profiles for this workspace (${whose}); name one: DATABRICKS_CONFIG_PROFILE, or databricksCli({ profile })`,
        },
      },
      {
        phrase: /uses M2M authentication/i,
        error: {
          code: "ERR_LAKEBASE_CONFIG",
          retryable: false,
          message: `gives out tokens of people only (${whose}); use configProfile() for the profile of a service principal`,
        },
      },
      {
        phrase: /profile .*not found|has no .*profile configured/i,
        error: {
          code: "ERR_LAKEBASE_CONFIG",
          retryable: false,
          message: `has no such profile (${whose}); run \`databricks auth profiles\``,
        },
      },
      // The refresh token has ended or was revoked; there never was one; and what older versions say for that.
      {
        phrase: /databricks oauth is not|refresh token is invalid|databricks auth login|no configuration file found/i,
        absent: login,
      },
    ],
  };
}
