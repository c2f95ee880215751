import { readFile } from "node:fs/promises";
import type { SecureContext } from "node:tls";
import type { CertificateSource } from "./config/certificates.ts";
import { configError } from "./errors.ts";

/** TLS options for a Postgres connection; everything that a driver passes on to `tls.connect`. */
export interface VerifiedTls {
  readonly rejectUnauthorized: true;
  /** The name to ask for and to verify. Absent where the host is an address, for which TLS has no such word. */
  readonly servername?: string;
  /** The address to verify, where the host is one. */
  readonly host?: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** Shared by all connections of a handle: parsing the roots for each costs 60 kB and half of the time to connect. */
  readonly secureContext: SecureContext;
}

const certificateBlock = /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[^-]+-----END [A-Z0-9 ]*CERTIFICATE-----/g;

/**
 * The text of a certificate bundle.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when the file cannot be read or holds no certificate.
 */
export async function readCertificates(
  source: CertificateSource,
  option: string,
  variable: string,
): Promise<readonly string[]> {
  if ("pem" in source) return source.pem;
  const problem = (message: string) => configError([{ option, variable, message }]);
  let text: string;
  try {
    text = await readFile(source.file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw problem(`the certificate file ${source.file} cannot be read (${code})`);
  }
  if (!text.match(certificateBlock)) throw problem(`the file ${source.file} holds no PEM certificate`);
  return [text];
}

/** Node's own roots, with those of NODE_EXTRA_CA_CERTS where this Node can tell them. */
export async function defaultRoots(): Promise<readonly string[]> {
  const tls: typeof import("node:tls") & { getCACertificates?: (type: "default") => string[] } = await import(
    "node:tls"
  );
  return tls.getCACertificates?.("default") ?? tls.rootCertificates;
}

let workspaceTrust: { readonly key: string; readonly secureContext: SecureContext } | undefined;

/**
 * Node's own roots and others beside them, for calls to the workspace. The last one is kept: to parse 150 roots takes 20 ms,
 * and an application that acts for its users has a handle and two calls for each of them.
 */
export async function trustBeside(extraCa: readonly string[]): Promise<SecureContext> {
  const key = extraCa.join("\n");
  if (workspaceTrust?.key !== key) {
    const [{ createSecureContext }, roots] = await Promise.all([import("node:tls"), defaultRoots()]);
    const secureContext = createSecureContext({ ca: [...roots, ...extraCa], minVersion: "TLSv1.2" });
    workspaceTrust = { key, secureContext };
  }
  return workspaceTrust.secureContext;
}

/**
 * One secure context for all connections of a handle.
 *
 * @throws LakebaseError `ERR_LAKEBASE_CONFIG` when a certificate does not parse.
 */
export async function createPostgresTls(
  ca: readonly string[] | undefined,
  minVersion: "TLSv1.2" | "TLSv1.3",
): Promise<(host: string) => VerifiedTls> {
  const [{ createSecureContext }, { X509Certificate }, { isIP }] = await Promise.all([
    import("node:tls"),
    import("node:crypto"),
    import("node:net"),
  ]);
  let secureContext: SecureContext;
  try {
    // OpenSSL passes over what it cannot read, and would then trust nobody without saying why.
    for (const pem of ca?.flatMap((bundle) => bundle.match(certificateBlock) ?? [bundle]) ?? [])
      new X509Certificate(pem);
    secureContext = createSecureContext({ minVersion, ...(ca ? { ca: [...ca] } : {}) });
  } catch (error) {
    throw configError([
      {
        option: "ssl.ca",
        variable: "PGSSLROOTCERT",
        message: `the certificates do not parse (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`,
      },
    ]);
  }
  return (host) => ({
    rejectUnauthorized: true,
    ...(isIP(host) ? { host } : { servername: host }),
    minVersion,
    secureContext,
  });
}
