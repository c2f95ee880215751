import type { Parsed } from "./target.ts";

/**
 * Your name as Databricks' partner telemetry knows it, in parts: `{ isv }` becomes `isv+lakebase`, `{ isv, product,
 * version? }` becomes `isv_product/version`.
 */
export interface PartnerApplicationName {
  readonly isv: string;
  readonly product?: string | undefined;
  readonly version?: string | undefined;
}

/** Postgres cuts `application_name` at 63 bytes (NAMEDATALEN - 1). */
const maxBytes = 63;
const part = /^[A-Za-z0-9_.+-]+$/;

/** Reads a name; the problem is a phrase that follows the option's name. */
export function parseApplicationName(name: string | PartnerApplicationName): Parsed<string> {
  if (typeof name === "string") return checked(name);
  if (typeof name !== "object" || name === null || typeof name.isv !== "string") {
    return { problem: "must be a string, or { isv, product?, version? }" };
  }
  const { isv, product, version, ...unknown } = name;
  for (const [key, value] of Object.entries({ isv, product, version })) {
    if (value !== undefined && !(typeof value === "string" && part.test(value))) {
      return { problem: `has, in ${key}, other characters than letters, digits and _ . + -` };
    }
  }
  for (const key of Object.keys(unknown)) return { problem: `has an unknown part ${key}` };
  if (product === undefined) {
    if (version !== undefined) return { problem: "has a version without a product" };
    return checked(`${isv}+lakebase`);
  }
  return checked(`${isv}_${product}${version === undefined ? "" : `/${version}`}`);
}

function checked(name: string): Parsed<string> {
  const trimmed = name.trim();
  if (!trimmed) return { problem: "is empty" };
  if (name !== trimmed || /[^ -~]/.test(name)) return { problem: "must be printable ASCII" };
  if (name.length > maxBytes) {
    return {
      problem: `has ${name.length} bytes; Postgres cuts it at ${maxBytes}`,
    };
  }
  return { value: name };
}

/**
 * The `application_name` for the startup packet. Databricks asks partners to set it and reads it there only.
 *
 * @returns `isv+lakebase` for `{ isv }`, `isv_product/version` for `{ isv, product, version }`, a string unchanged.
 * @throws TypeError when the name is not 1 to 63 bytes of printable ASCII.
 * @example
 * ```ts
 * import { formatApplicationName } from "@x/lakebase-core";
 *
 * formatApplicationName({ isv: "acme" }); // "acme+lakebase"
 * formatApplicationName({ isv: "acme", product: "etl", version: "3.5" }); // "acme_etl/3.5"
 * ```
 */
export function formatApplicationName(name: string | PartnerApplicationName): string {
  const parsed = parseApplicationName(name);
  if ("problem" in parsed) throw new TypeError(`Lakebase application name ${parsed.problem}`);
  return parsed.value;
}
