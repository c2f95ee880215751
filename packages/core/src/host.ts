/** What a Lakebase host name tells. */
export interface LakebaseHost {
  /** The name in lower case without a trailing dot. */
  readonly host: string;
  /** `instance-…` hosts began as Provisioned; an upgraded instance keeps its name and answers both APIs. */
  readonly product: "autoscaling" | "provisioned";
  readonly cloud: "aws" | "azure" | "gcp";
  readonly region: string | undefined;
  /** A read-only replica (`instance-ro-…`, `ep-…-ro`). */
  readonly readOnly: boolean;
  /** The connection pooler (`-pooler`), which does not accept OAuth tokens. */
  readonly pooled: boolean;
}

/**
 * The zones in which Databricks names databases. The first five are from real host names and Databricks' own tools; the
 * GCP zone and the government and China zones are inferred from the zones of workspaces
 * (https://docs.databricks.com/aws/en/oltp/projects/connection-strings).
 */
const zones: readonly { readonly suffix: string; readonly cloud: LakebaseHost["cloud"] }[] = [
  { suffix: "cloud.databricks.com", cloud: "aws" },
  { suffix: "azuredatabricks.net", cloud: "azure" },
  { suffix: "gcp.databricks.com", cloud: "gcp" },
  { suffix: "cloud.databricks.us", cloud: "aws" },
  { suffix: "databricks.azure.us", cloud: "azure" },
  { suffix: "databricks.azure.cn", cloud: "azure" },
];

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads a host name. Answers `undefined` for anything that is not exactly a Lakebase host: a token must not go to a
 * look-alike.
 *
 * @example
 * ```ts
 * import { parseLakebaseHost } from "@x/lakebase-core";
 *
 * parseLakebaseHost("ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com")?.product; // "autoscaling"
 * parseLakebaseHost("ep-cool-river-a1b2c3d4.database.us-west-2.cloud.databricks.com.evil.example"); // undefined
 * ```
 */
export function parseLakebaseHost(hostname: string): LakebaseHost | undefined {
  const host = normalizeHost(hostname);
  if (host.length > 253) return undefined;
  for (const { suffix, cloud } of zones) {
    if (!host.endsWith(`.${suffix}`)) continue;
    const [name, database, region, ...rest] = host.slice(0, -suffix.length - 1).split(".");
    if (name === undefined || database !== "database" || rest.length > 0) continue;
    if (!label.test(name) || (region !== undefined && !label.test(region))) continue;
    const product = name.startsWith("ep-") ? "autoscaling" : name.startsWith("instance-") ? "provisioned" : undefined;
    if (product === undefined) continue;
    const pooled = name.endsWith("-pooler");
    const bare = pooled ? name.slice(0, -"-pooler".length) : name;
    const readOnly = bare.startsWith("instance-ro-") || (product === "autoscaling" && bare.endsWith("-ro"));
    if (bare === "ep-" || bare === "ep" || bare === "instance-" || bare === "instance" || bare === "instance-ro")
      continue;
    return { host, product, cloud, region, readOnly, pooled };
  }
  return undefined;
}

/** Whether a host name is exactly a Lakebase host. */
export function isLakebaseHost(hostname: string): boolean {
  return parseLakebaseHost(hostname) !== undefined;
}

/** A host name as it is compared: lower case, without the trailing dot of a fully qualified name. */
export function normalizeHost(hostname: string): string {
  return hostname.trim().toLowerCase().replace(/\.$/, "");
}

/** Near enough: the dial decides. */
const ipv6 = /^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*$/;

/** What is wrong with a value as a host name or address, or `undefined`. */
export function hostProblem(value: string): string | undefined {
  const host = normalizeHost(value);
  const isName = host.length <= 253 && host.split(".").every((part) => label.test(part));
  if (isName || ipv6.test(host)) return undefined;
  return "must be one host name or address, without a scheme, port or path";
}
