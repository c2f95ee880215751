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
 * The zones in which Databricks names databases. The first two are from real host names and Databricks' own tools; the
 * GCP zone and the government and China zones are inferred from the zones of workspaces
 * (https://docs.databricks.com/aws/en/oltp/projects/connection-strings).
 */
const zones: Readonly<Record<string, LakebaseHost["cloud"]>> = {
  "cloud.databricks.com": "aws",
  "azuredatabricks.net": "azure",
  "gcp.databricks.com": "gcp",
  "cloud.databricks.us": "aws",
  "databricks.azure.us": "azure",
  "databricks.azure.cn": "azure",
};

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const hostForm = new RegExp(
  `^(${label})\\.database(?:\\.(${label}))?\\.(${Object.keys(zones).join("|").replaceAll(".", "\\.")})$`,
);
const databaseForm = /^(?:(ep)|instance(-ro)?)-(?!pooler$|ro$|ro-pooler$)([^-].*?)(-pooler)?$/;

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
  const [, name = "", region, zone = ""] = hostForm.exec(host) ?? [];
  const [found, autoscaling, readOnlyInstance, id, pooler] = databaseForm.exec(name) ?? [];
  const cloud = zones[zone];
  if (found === undefined || cloud === undefined) return undefined;
  return {
    host,
    product: autoscaling ? "autoscaling" : "provisioned",
    cloud,
    region,
    readOnly: Boolean(autoscaling ? id?.endsWith("-ro") : readOnlyInstance),
    pooled: pooler !== undefined,
  };
}

/** Whether a host name is exactly a Lakebase host. */
export function isLakebaseHost(hostname: string): boolean {
  return parseLakebaseHost(hostname) !== undefined;
}

/** A host name as it is compared: lower case, without the trailing dot of a fully qualified name. */
export function normalizeHost(hostname: string): string {
  const name = hostname.trim().replace(/\.$/, "");
  // Some letters of other alphabets have a lower case in ours: the sign of the kelvin is not the letter of "databricks".
  return /[^ -~]/.test(name) ? name : name.toLowerCase();
}

/** Near enough: the dial decides. */
const ipv6 = /^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*$/;

/** What is wrong with a value as a host name or address, or `undefined`. */
export function hostProblem(value: string): string | undefined {
  const host = normalizeHost(value);
  const isName = host.length <= 253 && new RegExp(`^${label}(?:\\.${label})*$`).test(host);
  if (isName || ipv6.test(host)) return undefined;
  return "must be one host name or address, without a scheme, port or path";
}
