import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { der } from "./der.ts";

// Written by hand because the packages that sign certificates bring 20 to 25 others with them (9 MB, and a patched global
// `Reflect`); one CA and a few server certificates need the hundred lines here and in der.ts.

const DAY_MS = 86_400_000;
const ECDSA_WITH_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"));

export interface ServerCertificate {
  /** PEM, the server's own certificate. */
  cert: string;
  /** PEM, PKCS #8. */
  key: string;
}

export interface CertificateAuthority {
  /** PEM, what a client has to trust. */
  pem: string;
  issue(subject: { names: readonly string[]; notBefore?: Date; notAfter?: Date }): ServerCertificate;
}

export function createAuthority(commonName: string): CertificateAuthority {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { name: distinguishedName(commonName), key: keys.privateKey, keyId: keyId(keys.publicKey) };
  const own = signCertificate({
    issuer,
    subject: issuer.name,
    publicKey: keys.publicKey,
    // keyCertSign and cRLSign
    extensions: [basicConstraints(true), extension("2.5.29.15", der.bits(Buffer.of(0x06), 1), true)],
  });
  return {
    pem: own,
    issue({ names, notBefore, notAfter }) {
      const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const cert = signCertificate({
        issuer,
        subject: distinguishedName(names[0] ?? commonName),
        publicKey: leaf.publicKey,
        ...(notBefore && { notBefore }),
        ...(notAfter && { notAfter }),
        extensions: [
          basicConstraints(false),
          // digitalSignature
          extension("2.5.29.15", der.bits(Buffer.of(0x80), 7), true),
          // serverAuth
          extension("2.5.29.37", der.sequence(der.oid("1.3.6.1.5.5.7.3.1"))),
          extension("2.5.29.17", der.sequence(...names.map(alternativeName))),
        ],
      });
      return { cert, key: leaf.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
    },
  };
}

function signCertificate(options: {
  issuer: { name: Buffer; key: KeyObject; keyId: Buffer };
  subject: Buffer;
  publicKey: KeyObject;
  extensions: Buffer[];
  notBefore?: Date;
  notAfter?: Date;
}): string {
  const { issuer, subject, publicKey } = options;
  const notBefore = options.notBefore ?? new Date(Date.now() - DAY_MS);
  const notAfter = options.notAfter ?? new Date(Date.now() + 365 * DAY_MS);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = der.sequence(
    der.context(0, der.integer(Buffer.of(2)), true),
    der.integer(serial),
    ECDSA_WITH_SHA256,
    issuer.name,
    der.sequence(der.utcTime(notBefore), der.utcTime(notAfter)),
    subject,
    spki(publicKey),
    der.context(
      3,
      der.sequence(
        ...options.extensions,
        extension("2.5.29.14", der.octets(keyId(publicKey))),
        extension("2.5.29.35", der.sequence(der.context(0, issuer.keyId))),
      ),
      true,
    ),
  );
  const signed = der.sequence(body, ECDSA_WITH_SHA256, der.bits(sign("sha256", body, issuer.key)));
  const lines = signed.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function distinguishedName(commonName: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid("2.5.4.3"), der.text(commonName))));
}

function extension(oid: string, value: Buffer, critical = false): Buffer {
  return der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value));
}

function basicConstraints(authority: boolean): Buffer {
  return extension("2.5.29.19", der.sequence(...(authority ? [der.boolean(true)] : [])), true);
}

function alternativeName(name: string): Buffer {
  return isIP(name) === 4
    ? der.context(7, Buffer.from(name.split(".").map(Number)))
    : der.context(2, Buffer.from(name, "ascii"));
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function keyId(key: KeyObject): Buffer {
  return createHash("sha1").update(spki(key)).digest();
}
