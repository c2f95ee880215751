import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** A public key as JSON (RFC 7517). Node's own type for it is not in every version of its declarations. */
export interface PublicJwk {
  readonly kty?: string;
  readonly kid?: string;
  readonly [member: string]: unknown;
}

/** Keys for RS256. */
export interface SigningKeys {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** Takes 50 to 500 ms on a thread of its own: start it beside something else that takes time. */
export function generateSigningKeys(): Promise<SigningKeys> {
  return promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
}
