import type { Product } from "../host-names.ts";
import { errorResponse, type ServerError } from "../wire.ts";

/** Why a login is refused by the front itself; what the real Postgres refuses comes in its own words. */
export interface RefusalFacts {
  user: string;
  /** When the token has expired, in seconds since the epoch. */
  exp?: number;
}

type Words = (facts: RefusalFacts) => ServerError;

// The proxy of Autoscaling sends every error of its own as ERROR XX000, the gateway of Provisioned in Postgres's manner.
const proxy =
  (text: (facts: RefusalFacts) => string): Words =>
  (facts) => ({ severity: "ERROR", sqlState: "XX000", message: text(facts) });
const gateway =
  (sqlState: string, text: (facts: RefusalFacts) => string, detail?: string): Words =>
  (facts) => ({ severity: "FATAL", sqlState, message: text(facts), ...(detail && { detail }) });

const wrongPassword = proxy(({ user }) => `password authentication failed for user '${user}'`);
const undecodable = gateway(
  "28P01",
  ({ user }) =>
    `Failed to decode token for role "${user}" and native postgres login was either not attempted due to configuration or failed.`,
);
const noSni = gateway("08004", () => "Connection does not have SNI.", "Please upgrade your client to support SNI.");
const startingUp = gateway("57P03", () => "the database system is starting up");
const unreachable = gateway("08006", () => "Couldn't connect to compute node");

/** The words of each product for each refusal. The texts are those that users of the real service have reported. */
const words = {
  autoscaling: {
    "no-sni": noSni,
    "unknown-host": proxy(() => "Control plane request failed: endpoint cannot be found"),
    "not-a-token": proxy(() => "Provided authentication token is not a valid JWT encoding"),
    "token-expired": proxy(({ exp }) => `JWT token has expired (exp=${exp})`),
    "token-rejected": wrongPassword,
    "unknown-role": wrongPassword,
    "pooled-token": proxy(() => "SASL authentication failed"),
    "starting-up": startingUp,
    "compute-unreachable": unreachable,
  },
  provisioned: {
    "no-sni": noSni,
    "unknown-host": gateway("08004", () => "Database instance not found"),
    "not-a-token": undecodable,
    "token-expired": undecodable,
    "token-rejected": undecodable,
    "unknown-role": undecodable,
    "pooled-token": undecodable,
    "starting-up": startingUp,
    "compute-unreachable": unreachable,
  },
} satisfies Record<Product, Record<string, Words>>;

export type Refusal = keyof (typeof words)["autoscaling"];

export function refusalError(refusal: Refusal, product: Product, facts: RefusalFacts): ServerError {
  return words[product][refusal](facts);
}

/** What a client gets that starts a session without TLS. */
export const plaintextError: ServerError = {
  severity: "FATAL",
  sqlState: "08P01",
  message: "Invalid protocol version: 196608",
};

/** The bytes of an error, in the manner of the product. */
export function refusalBytes(error: ServerError): Buffer {
  return errorResponse(error, { localised: error.sqlState === "XX000" });
}
