import { randomBytes } from "node:crypto";
import type { AuthorizationRequest } from "./authorization-request.ts";

/** A consent page that somebody has before them. */
export interface Consent {
  /** Stands in the page. */
  readonly id: string;
  /** Stands in a cookie of the browser that the page was sent to: an answer from anywhere else is forged. */
  readonly browserKey: string;
  readonly request: AuthorizationRequest;
}

export interface Consents {
  open(request: AuthorizationRequest): Consent;
  /** The consent that is answered, once, by the browser that was asked. */
  take(id: string | null, browserKey: string | undefined): Consent | undefined;
  secrets(): string[];
}

/** How long a page may stay open, in seconds. */
export const CONSENT_LIFE_SECONDS = 600;

export function createConsents(now: () => number): Consents {
  const consents = new Map<string, Consent & { expiresAt: number }>();
  const keys: string[] = [];
  return {
    open(request) {
      const [id, browserKey] = [randomBytes(18).toString("base64url"), randomBytes(18).toString("base64url")];
      const consent = { id, browserKey, request, expiresAt: now() + CONSENT_LIFE_SECONDS * 1000 };
      consents.set(id, consent);
      keys.push(id, browserKey);
      return consent;
    },
    take(id, browserKey) {
      const consent = consents.get(id ?? "");
      if (!consent || consent.browserKey !== browserKey) return undefined;
      consents.delete(consent.id);
      return consent.expiresAt > now() ? consent : undefined;
    },
    secrets: () => keys,
  };
}
