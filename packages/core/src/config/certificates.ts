import type { LakebaseOptions } from "../options.ts";
import { alwaysVerified } from "../options.ts";
import type { ConfigReader, Found } from "./reader.ts";

/** A certificate bundle: its text, or where to read it. */
export type CertificateSource = { readonly pem: readonly string[] } | { readonly file: string };

/** TLS to Postgres, as far as there is a choice. */
export interface PostgresTls {
  readonly ca: CertificateSource | undefined;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

const notPem = "must be PEM text (-----BEGIN CERTIFICATE-----); a file is named by";

/** A bundle from an option (its text) or a variable (its path, or its text). */
export function readCertificateSource(found: Found | undefined, reader: ConfigReader): CertificateSource | undefined {
  if (!found) return undefined;
  if (isPem(found.value)) return { pem: [found.value] };
  if (found.variable) return { file: found.value };
  reader.wrong(found, `${notPem} LAKEBASE_WORKSPACE_CA`);
  return undefined;
}

export function readPostgresTls(reader: ConfigReader): PostgresTls {
  const { ssl }: { readonly ssl?: unknown } = reader.options;
  const root = reader.variable("PGSSLROOTCERT", "ssl.ca");
  const fromEnvironment = root?.value === "system" ? undefined : readCertificateSource(root, reader);
  if (ssl === undefined) return { ca: fromEnvironment, minVersion: "TLSv1.2" };
  if (typeof ssl !== "object" || ssl === null) {
    reader.problem("ssl", `must be { ca?, minVersion? }: ${alwaysVerified}`);
    return { ca: undefined, minVersion: "TLSv1.2" };
  }
  const { ca, minVersion = "TLSv1.2", ...unknown } = ssl as NonNullable<LakebaseOptions["ssl"]>;
  for (const key of Object.keys(unknown)) reader.problem(`ssl.${key}`, `is not an option: ${alwaysVerified}`);
  if (minVersion !== "TLSv1.2" && minVersion !== "TLSv1.3") {
    reader.problem("ssl.minVersion", 'must be "TLSv1.2" or "TLSv1.3"');
  }
  if (ca === undefined) return { ca: fromEnvironment, minVersion };
  const pem = typeof ca === "string" ? [ca] : ca;
  if (!Array.isArray(pem) || pem.length === 0 || !pem.every(isPem)) reader.problem("ssl.ca", `${notPem} PGSSLROOTCERT`);
  return { ca: { pem: [...pem] }, minVersion };
}

function isPem(text: unknown): boolean {
  return typeof text === "string" && text.includes("-----BEGIN ") && text.includes("CERTIFICATE-----");
}
