import { hostProblem, normalizeHost, parseLakebaseHost } from "../host.ts";
import type { ConfigReader } from "./reader.ts";
import type { TargetGroup } from "./target-group.ts";

/** The names beyond Lakebase's own that may receive a token, exactly as they are. */
export function readTrustedHosts(reader: ConfigReader): ReadonlySet<string> {
  const variable = reader.variable("LAKEBASE_TRUSTED_HOSTS", "trustedHosts");
  const list: unknown = reader.options.trustedHosts ?? variable?.value.split(",") ?? [];
  const valid = Array.isArray(list) && list.every((name) => typeof name === "string" && !hostProblem(name));
  if (!valid) {
    reader.problem("trustedHosts", "must hold exact host names, without wildcards and ports", "LAKEBASE_TRUSTED_HOSTS");
    return new Set();
  }
  return new Set(list.map(normalizeHost));
}

/** For `access: "read-only"` where no other host can be found. */
export const readWriteHost = "is a read-write host, but `access` is read-only";

/** A token may go to Lakebase's own hosts and to those named exactly; a pooler does not take tokens at all. */
export function checkHost(
  { host, isNamed }: TargetGroup,
  isNative: boolean,
  trusted: ReadonlySet<string>,
  reader: ConfigReader,
): void {
  if (!host) return;
  const known = parseLakebaseHost(host.name);
  if (known?.pooled && !isNative) {
    reader.wrong(
      host,
      `is a pooler (${host.name}), which does not accept tokens; use the host without -pooler, or a native role`,
      "ERR_LAKEBASE_HOST_REFUSED",
    );
  } else if (!known && !isNative && !trusted.has(host.name)) {
    reader.wrong(
      host,
      `is not a Lakebase host (${host.name}), so no token is sent to it; if it is yours, name it in \`trustedHosts\` or LAKEBASE_TRUSTED_HOSTS`,
      "ERR_LAKEBASE_HOST_REFUSED",
    );
  } else if (
    known?.readOnly === false &&
    reader.options.access === "read-only" &&
    (isNative || !(isNamed || host.variable))
  ) {
    reader.wrong(host, readWriteHost);
  }
}
