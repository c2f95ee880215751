import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const stretch = promisify(pbkdf2);
const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/** The client's side of SCRAM-SHA-256 (RFC 7677), for our own logins to the Postgres behind the front. */
export function startScram(password: string) {
  const nonce = randomBytes(18).toString("base64");
  const firstBare = `n=,r=${nonce}`;
  let serverSignature: Buffer | undefined;
  return {
    first: `n,,${firstBare}`,
    /** Answers the server's first message. */
    async final(serverFirst: string): Promise<string> {
      const fields = parseFields(serverFirst);
      const serverNonce = fields.get("r") ?? "";
      const iterations = Number(fields.get("i"));
      if (!serverNonce.startsWith(nonce) || !(iterations > 0)) throw new Error("Postgres sent a wrong SCRAM challenge");
      const salted = await stretch(password, Buffer.from(fields.get("s") ?? "", "base64"), iterations, 32, "sha256");
      const withoutProof = `c=biws,r=${serverNonce}`;
      const transcript = `${firstBare},${serverFirst},${withoutProof}`;
      const clientKey = hmac(salted, "Client Key");
      const signature = hmac(createHash("sha256").update(clientKey).digest(), transcript);
      serverSignature = hmac(hmac(salted, "Server Key"), transcript);
      const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
      return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
    },
    /** Checks that the server knows the password too. */
    verify(serverFinal: string): void {
      const sent = Buffer.from(parseFields(serverFinal).get("v") ?? "", "base64");
      if (!serverSignature || sent.length !== serverSignature.length || !timingSafeEqual(sent, serverSignature)) {
        throw new Error("Postgres sent a wrong SCRAM signature");
      }
    },
  };
}

function parseFields(text: string): Map<string, string> {
  return new Map(text.split(",").map((field) => [field.charAt(0), field.slice(2)]));
}
