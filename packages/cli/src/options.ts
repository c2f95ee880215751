import type { LakebaseEvent, LakebaseOptions } from "@x/lakebase-core";
import { type Command, InvalidArgumentError, Option } from "commander";
import { packageVersion } from "./version.ts";

/** What both commands can be told beside the environment. No secret is among them: arguments are for everybody to see. */
export interface CommonOptions {
  readonly endpoint?: string;
  readonly branch?: string;
  readonly project?: string;
  readonly instance?: string;
  readonly host?: string;
  readonly hostAddress?: string;
  readonly port?: string;
  readonly database?: string;
  readonly user?: string;
  readonly applicationName?: string;
  readonly access?: "read-write" | "read-only";
  /** Milliseconds. */
  readonly timeout?: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const flags = [
  ["--endpoint <name>", "Autoscaling endpoint, projects/…/branches/…/endpoints/… (LAKEBASE_ENDPOINT)"],
  ["--branch <name>", "branch, projects/…/branches/… or its id beside --project (LAKEBASE_BRANCH)"],
  ["--project <name>", "project, projects/… or its id: its default branch (LAKEBASE_PROJECT)"],
  ["--instance <name>", "Provisioned instance (LAKEBASE_INSTANCE_NAME)"],
  ["--host <name>", "host, in place of the one that the workspace names (PGHOST)"],
  ["--host-address <address>", "address to dial; the certificate must still be that of the host (PGHOSTADDR)"],
  ["--port <number>", "port, default 5432 (PGPORT)"],
  ["--database <name>", "database, default databricks_postgres (PGDATABASE)"],
  ["--user <name>", "Postgres role, default: the identity's own (PGUSER)"],
  ["--application-name <name>", `name at login, default x-lakebase-cli/${packageVersion} (PGAPPNAME)`],
] as const;

/** Adds the options that both commands have. */
export function addCommonOptions(command: Command): Command {
  for (const [flag, description] of flags) command.option(flag, description, notEmpty);
  return command
    .addOption(new Option("--access <mode>", "which host to ask for").choices(["read-write", "read-only"]))
    .option("--timeout <seconds>", "for host, user and token together, default 30", milliseconds);
}

/** The flag for an option of core. */
export function flagOf(option: string): string | undefined {
  if (option === "connectTimeoutMs") return "--timeout";
  const flag = `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return flag === "--access" || flags.some(([known]) => known.startsWith(`${flag} `)) ? flag : undefined;
}

function notEmpty(value: string): string {
  // "$ENDPOINT" of a variable that is not set must not become the default.
  if (value.trim() === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

function milliseconds(value: string): number {
  const result = Math.round(Number(value) * 1000);
  if (value.trim() !== "" && result >= 1 && result < 2 ** 31) return result;
  throw new InvalidArgumentError("It must be a number of seconds above 0.");
}

/** Names under which a target, and what belongs to it, may stand in the environment; `docs/options.md` explains them. */
const targetVariables = [
  "LAKEBASE_ENDPOINT",
  "LAKEBASE_AUTOSCALING_ENDPOINT",
  "PGENDPOINT",
  "LAKEBASE_BRANCH",
  "LAKEBASE_AUTOSCALING_BRANCH",
  "LAKEBASE_PROJECT",
  "LAKEBASE_AUTOSCALING_PROJECT",
  "LAKEBASE_INSTANCE_NAME",
  "PGHOST",
  "PGHOSTADDR",
  "PGPORT",
  "PGUSER",
  "PGPASSWORD",
];

/** Whether the environment says more of the target than its host. */
export function namesTarget(env: Environment): boolean {
  const names = targetVariables.filter((name) => !name.startsWith("PG") || name === "PGENDPOINT");
  return names.some((name) => env[name]?.trim()) || env.ENDPOINT_NAME?.trim().startsWith("projects/") === true;
}

/**
 * The environment as it would be if the options had been variables. A target from the options never meets what the
 * environment says about another one. It is what core reads, and what a command starts from, so that both agree.
 */
export function effectiveEnvironment(options: CommonOptions, env: Environment): Record<string, string | undefined> {
  const result = { ...env };
  const target = {
    LAKEBASE_ENDPOINT: options.endpoint,
    LAKEBASE_BRANCH: options.branch,
    LAKEBASE_PROJECT: options.project,
    LAKEBASE_INSTANCE_NAME: options.instance,
    PGHOST: options.host,
    PGHOSTADDR: options.hostAddress,
    PGPORT: options.port,
  };
  if (Object.values(target).some((value) => value !== undefined)) {
    for (const name of targetVariables) delete result[name];
    // Too common a name to be taken away from anybody else.
    if (result.ENDPOINT_NAME?.trim().startsWith("projects/")) delete result.ENDPOINT_NAME;
  }
  const chosen = {
    ...target,
    PGDATABASE: options.database,
    PGUSER: options.user,
    PGAPPNAME: options.applicationName ?? (env.PGAPPNAME?.trim() ? undefined : `x-lakebase-cli/${packageVersion}`),
  };
  for (const [name, value] of Object.entries(chosen)) if (value !== undefined) result[name] = value;
  return result;
}

/** Options for core. Everything with a variable goes by the environment. */
export function lakebaseOptions(
  { access, timeout }: CommonOptions,
  env: Environment,
  tell: (line: string) => void,
): LakebaseOptions {
  const onEvent = (event: LakebaseEvent) => {
    if (event.type === "ignored") tell(`${event.setting} is not used: ${event.reason}`);
    if (event.type === "warning") tell(event.message);
  };
  return { env, access, connectTimeoutMs: timeout, onEvent };
}
