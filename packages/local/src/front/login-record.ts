import type { Product } from "../host-names.ts";

/** One attempt to log in, written when its startup packet has come and completed when it ends. */
export interface LoginRecord {
  /** Of the local clock. */
  at: Date;
  /** The name that the client asked for in TLS (SNI). */
  host: string | undefined;
  product: Product;
  user: string;
  database: string;
  applicationName: string | undefined;
  /** All parameters of the startup packet, as they were sent. */
  startup: Record<string, string>;
  /** Such as `TLSv1.3`. */
  tls: string | undefined;
  /** How many bytes of a password have arrived; the client's SCRAM messages count as none. */
  passwordBytes: number;
  /** `dropped`: one side closed the connection without an answer. */
  outcome: "pending" | "accepted" | "refused" | "dropped";
  /** Of a refusal. */
  sqlState?: string;
  /** Of a refusal. */
  message?: string;
  /** The token that was the password, if it was given out here. */
  tokenId?: string;
}

/** Counts of what happened at the front's port, with or without a login. */
export interface ConnectionCounts {
  /** TCP connections accepted. */
  accepted: number;
  /** Handshakes that did not complete, such as a client that mistrusts the certificate. */
  tlsFailed: number;
  /** Startup packets that came without TLS. */
  plaintextRefused: number;
  /** Requests to cancel a query. */
  cancelRequests: number;
  /** All bytes of passwords that ever arrived. */
  passwordBytes: number;
}
