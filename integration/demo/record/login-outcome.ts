import type { LoginRecord } from "@x/lakebase-local";

/** Postgres's "the database system is starting up": the token was not the matter. */
const startingUp = "57P03";

export function isToldToWait({ outcome, sqlState }: LoginRecord): boolean {
  return outcome === "refused" && sqlState === startingUp;
}

export function isTokenRefused(login: LoginRecord): boolean {
  return login.outcome === "refused" && !isToldToWait(login);
}
