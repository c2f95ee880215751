import { createSecureContext, type SecureContext } from "node:tls";
import { type CertificateAuthority, createAuthority } from "./certificate.ts";
import { createFaultList, type FaultHandle } from "./fault-list.ts";

/** How the certificate of a server is made wrong, and what a careful client sees. */
const certificateFaults = {
  /** Signed by an authority that nobody trusts. */
  untrusted: (_authority: CertificateAuthority, names: readonly string[]) =>
    createAuthority("Somebody else").issue({ names }),
  /** Rightly signed, for another host. */
  "wrong-name": (authority: CertificateAuthority) => authority.issue({ names: ["elsewhere.example.com"] }),
  /** Rightly signed, right name, out of date since yesterday. */
  expired: (authority: CertificateAuthority, names: readonly string[]) =>
    authority.issue({
      names,
      notBefore: new Date(Date.now() - 3 * 86_400_000),
      notAfter: new Date(Date.now() - 86_400_000),
    }),
};

export type CertificateFaultKind = keyof typeof certificateFaults;

/** A wrong certificate on one of the two servers. It meets connections that are opened while it is set. */
export interface TlsFault {
  on: "api" | "login";
  kind: CertificateFaultKind;
}

/** The certificate that one of our servers shows, right or wrong. */
export interface ServerIdentity {
  /** The TLS context for the next connection; counts a hit when it is a wrong one. */
  context(): SecureContext;
  fault(fault: TlsFault): FaultHandle;
  clear(): void;
}

export function createServerIdentity(authority: CertificateAuthority, names: readonly string[]): ServerIdentity {
  const good = createSecureContext({ ...authority.issue({ names }), minVersion: "TLSv1.2" });
  const faults = createFaultList<TlsFault & { context: SecureContext }>();
  return {
    context: () => faults.take(() => true)?.context ?? good,
    fault: (fault) =>
      faults.add({ ...fault, context: createSecureContext(certificateFaults[fault.kind](authority, names)) }),
    clear: faults.clear,
  };
}
