import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as tls from "node:tls";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import type { Environment } from "./options.ts";

/** Files by which a command verifies the server. */
export interface RootCertificates {
  /** For libpq, which looks at no roots but those of a file that is named to it. */
  readonly file: string;
  /** For Node, which knows the public roots: whom to trust beside them. Absent: nobody else. */
  readonly extraFile: string | undefined;
}

/**
 * Finds the roots that `PGSSLROOTCERT` names, or writes Node's own into a private file, which goes when this process ends.
 * (`PGSSLROOTCERT=system` would need no file, but libpq knows it only since version 16.)
 */
export function findRootCertificates(env: Environment): RootCertificates {
  const named = env.PGSSLROOTCERT?.trim() ?? "";
  const extra = env.NODE_EXTRA_CA_CERTS || undefined;
  if (named === "" || named === "system") return { file: writePrivately(publicRoots(extra)), extraFile: extra };
  const file = named.includes("-----BEGIN ") ? writePrivately(named) : resolve(named);
  if (extra === undefined || resolve(extra) === file) return { file, extraFile: file };
  return { file, extraFile: writePrivately(`${readIfThere(extra)}\n${readFileSync(file, "utf8")}`) };
}

function publicRoots(extra: string | undefined): string {
  const { getCACertificates }: typeof tls & { getCACertificates?: (type: "default") => string[] } = tls;
  if (getCACertificates) return getCACertificates("default").join("\n");
  // An older Node uses the extra ones as well, but does not tell them.
  return [...tls.rootCertificates, ...(extra === undefined ? [] : [readIfThere(extra)])].join("\n");
}

/** Node passes over a file that is not there, with a warning. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function writePrivately(text: string): string {
  try {
    const folder = mkdtempSync(resolve(tmpdir(), "lakebase-roots-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "roots.pem");
    writeFileSync(file, text, { mode: 0o600, flag: "wx" });
    return file;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new Failure(
      exitCodes.usage,
      `the root certificates could not be written below ${tmpdir()} (${code}): set TMPDIR to a folder that can be written, or PGSSLROOTCERT to a file of certificates`,
    );
  }
}
