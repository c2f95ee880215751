import { hostProblem, normalizeHost } from "../host.ts";
import { targetKeys } from "../options.ts";
import { parseEndpoint, parseInstance, type Target } from "../target.ts";
import type { ConfigReader, Found } from "./reader.ts";

/** What the options or the environment say about the target; never both. */
export interface TargetGroup {
  readonly fromOptions: boolean;
  readonly target: Target | undefined;
  /** Where the host's name stands, for messages about it. */
  readonly host: (Found & { readonly name: string }) | undefined;
  readonly hostAddress: string | undefined;
  readonly port: number;
  /** Whether an endpoint or an instance is named: a bare host is reached by a password only. */
  readonly isNamed: boolean;
}

/**
 * The names under which platforms and templates hand over an endpoint; the first that is set counts.
 * `ENDPOINT_NAME` is too common a name to be believed unless its value is a Lakebase resource name.
 */
const endpointVariables: readonly { readonly name: string; readonly only?: RegExp }[] = [
  { name: "LAKEBASE_ENDPOINT" },
  { name: "LAKEBASE_AUTOSCALING_ENDPOINT" },
  { name: "PGENDPOINT" },
  { name: "ENDPOINT_NAME", only: /^projects\// },
];

export function readTarget(reader: ConfigReader): TargetGroup {
  const fromOptions = reader.given(targetKeys);
  const variable = (name: string, option: string) => (fromOptions ? undefined : reader.variable(name, option));

  const endpoint =
    reader.option("endpoint") ??
    endpointVariables
      .map(({ name, only }) => {
        const found = variable(name, "endpoint");
        return found && (only?.test(found.value) ?? true) ? found : undefined;
      })
      .find((found) => found !== undefined);
  const instance = reader.option("instance") ?? variable("LAKEBASE_INSTANCE_NAME", "instance");
  const host = reader.optionOrUrl("host") ?? variable("PGHOST", "host");
  const hostAddress = reader.optionOrUrl("hostAddress") ?? variable("PGHOSTADDR", "hostAddress");
  const port = reader.optionOrUrl("port") ?? variable("PGPORT", "port");

  if (endpoint && instance) {
    reader.wrong(instance, `is a second target beside ${endpoint.variable ?? "`endpoint`"}; remove one`);
  }
  let target: Target | undefined;
  for (const [found, parse] of [
    [endpoint, parseEndpoint],
    [instance, parseInstance],
  ] as const) {
    if (!found) continue;
    const parsed = parse(found.value);
    if ("problem" in parsed) reader.wrong(found, parsed.problem);
    else target ??= parsed.value;
  }
  for (const found of [host, hostAddress]) {
    const problem = found && hostProblem(found.value);
    if (found && problem) reader.wrong(found, problem);
  }
  const name = host && !hostProblem(host.value) ? normalizeHost(host.value) : undefined;
  const isNamed = endpoint !== undefined || instance !== undefined;
  if (!isNamed && name !== undefined) target = { kind: "host", host: name };
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
