import { hostProblem, normalizeHost } from "../host.ts";
import { targetKeys } from "../options.ts";
import { parseInstance, parseResource, resourceKinds, type Target } from "../target.ts";
import type { ConfigReader, Found } from "./reader.ts";

/** What the options or the environment say about the target; never both. */
export interface TargetGroup {
  readonly fromOptions: boolean;
  readonly target: Target | undefined;
  /** Where the host's name stands, for messages about it. */
  readonly host: (Found & { readonly name: string }) | undefined;
  readonly hostAddress: string | undefined;
  readonly port: number;
  /** Whether more than a host is named: a bare host may be reached by a password. */
  readonly isNamed: boolean;
}

export function readTarget(reader: ConfigReader): TargetGroup {
  const fromOptions = reader.given(targetKeys);
  const variable = (name: string, option: string) => (fromOptions ? undefined : reader.variable(name, option));

  let innermost: Found | undefined;
  let target: Target | undefined;
  for (const kind of resourceKinds) {
    // Platforms and templates hand the same thing over under several names.
    const names = ["LAKEBASE_", "LAKEBASE_AUTOSCALING_"].map((prefix) => prefix + kind.toUpperCase());
    if (kind === "endpoint") names.push("PGENDPOINT", "ENDPOINT_NAME");
    let found = reader.option(kind);
    for (const name of names) {
      const alias = variable(name, kind);
      // Too common a name to be believed, unless its value is a resource name.
      if (!alias || (name === "ENDPOINT_NAME" && !alias.value.startsWith("projects/"))) continue;
      found ??= alias;
      if (found.value !== alias.value) reader.wrong(alias, `differs from ${found.variable}; remove one`);
    }
    if (!found) continue;
    innermost = found;
    const parsed = parseResource(kind, found.value, target && `${target.name}/`);
    if ("problem" in parsed) reader.wrong(found, parsed.problem);
    else target = parsed.value;
  }
  const instance = reader.option("instance") ?? variable("LAKEBASE_INSTANCE_NAME", "instance");
  if (instance) {
    if (innermost) reader.wrong(instance, `stands beside ${innermost.variable ?? innermost.option}; remove one`);
    const parsed = parseInstance(instance.value);
    if ("problem" in parsed) reader.wrong(instance, parsed.problem);
    else target ??= parsed.value;
  }

  const host = reader.optionOrUrl("host") ?? variable("PGHOST", "host");
  const hostAddress = reader.optionOrUrl("hostAddress") ?? variable("PGHOSTADDR", "hostAddress");
  const port = reader.optionOrUrl("port") ?? variable("PGPORT", "port");
  const check = (found: Found | undefined) => {
    const problem = found && hostProblem(found.value);
    if (problem) reader.wrong(found, problem);
    return found && !problem ? normalizeHost(found.value) : undefined;
  };
  check(hostAddress);
  const name = check(host);
  const isNamed = (innermost ?? instance) !== undefined;
  if (!isNamed && name !== undefined) target = { kind: "host", name };
  return {
    fromOptions,
    target,
    isNamed,
    host: host && name !== undefined ? { ...host, name } : undefined,
    hostAddress: hostAddress?.value,
    port: portOf(port, reader),
  };
}

function portOf(found: Found | undefined, reader: ConfigReader): number {
  if (!found) return 5432;
  const port = Number(found.value);
  if (!/^\d+$/.test(found.value) || port < 1 || port > 65_535) reader.wrong(found, "must be a port from 1 to 65535");
  return port;
}
