import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LakebaseError } from "./errors.ts";
import { classifyLoginError, isLoginRejected } from "./login-errors.ts";

const error = (code: string | undefined, message: string) =>
  Object.assign(new Error(message), code === undefined ? {} : { code });

describe("classifyLoginError", () => {
  test.each([
    ["a PAT, Autoscaling", "XX000", "Provided authentication token is not a valid JWT encoding"],
    ["an expired token, Autoscaling", "XX000", "JWT token has expired (exp=1767225600)"],
    ["an unknown role, Autoscaling", "XX000", "password authentication failed for user 'app'"],
    [
      "a bad token, Provisioned",
      "28P01",
      'Failed to decode token for role "app" and native postgres login was either not attempted due to configuration or failed.',
    ],
    ["a refused password", "28P01", 'password authentication failed for user "app"'],
    ["a refused login", "28000", "Invalid authorization specification"],
    ["a refused login, by the proxy", "XX000", "Invalid authorization"],
    ["a code in another language", "28P01", "Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen"],
  ])("takes %s as rejected", (_name, code, message) => {
    expect(classifyLoginError(error(code, message))).toBe("rejected");
    expect(isLoginRejected(error(code, message))).toBe(true);
  });

  test.each([
    ["a young branch", "XX000", "External authorization failed"],
    ["a young branch with an authorization code", "28000", "External authorization failed"],
    [
      "a storm",
      "XX000",
      "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
    ],
    ["a compute that is not there", "XX000", "Couldn't connect to compute node"],
    ["a control plane that is busy", "XX000", "Control plane request failed: temporarily unavailable"],
    ["an endpoint that is busy", "XX000", "Control plane request failed: endpoint is temporarily unavailable"],
    ["a server that starts", "57P03", "the database system is starting up"],
    ["a connection that failed (class 08)", "08006", "connection failure"],
    ["a connection that was not made (class 08)", "08001", "could not connect"],
    ["nobody at the port", "ECONNREFUSED", "connect ECONNREFUSED"],
    ["a reset", "ECONNRESET", "read ECONNRESET"],
    ["a pipe that broke", "EPIPE", "write EPIPE"],
    ["a network that is slow", "ETIMEDOUT", "connect ETIMEDOUT"],
    ["a network that is away", "EHOSTUNREACH", "connect EHOSTUNREACH"],
    ["a resolver that is away", "EAI_AGAIN", "getaddrinfo EAI_AGAIN"],
    ["a socket that closed early", undefined, "Connection terminated unexpectedly"],
  ])("takes %s as waking", (_name, code, message) => {
    expect(classifyLoginError(error(code, message))).toBe("waking");
    expect(isLoginRejected(error(code, message))).toBe(false);
  });

  test.each([
    ["a database that is missing", "3D000", 'database "x" does not exist'],
    ["a missing grant", "42501", "permission denied for schema public"],
    ["slots that are full", "53300", "remaining connection slots are reserved"],
    ["an endpoint that is disabled", "XX000", "Control plane request failed: endpoint is disabled"],
    ["an endpoint that is gone", "XX000", "Control plane request failed: endpoint cannot be found"],
    ["OAuth at a pooler", "XX000", "SASL authentication failed"],
    ["a name that does not exist", "ENOTFOUND", "getaddrinfo ENOTFOUND"],
    ["a certificate", "DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"],
    ["an internal error", "XX000", "something else"],
    ["no text", "XX000", ""],
    ["a LakebaseError", "ERR_LAKEBASE_TIMEOUT", "not there"],
  ])("takes %s as neither", (_name, code, message) => {
    expect(classifyLoginError(error(code, message))).toBe("other");
  });

  test("takes an AggregateError of refused dials as waking", () => {
    const refused = Object.assign(
      new AggregateError([error("ECONNREFUSED", "::1"), error("ECONNREFUSED", "127.0.0.1")]),
      {
        code: "ECONNREFUSED",
      },
    );
    expect(classifyLoginError(refused)).toBe("waking");
  });

  test("takes whatever else is thrown as neither, and does not throw itself", () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        expect(["rejected", "waking", "other"]).toContain(classifyLoginError(thrown));
        expect(typeof isLoginRejected(thrown)).toBe("boolean");
      }),
      { examples: [[undefined], [null], ["28P01"], [Object.create(null)]] },
    );
  });
});

describe("isLoginRejected", () => {
  test("looks into what an ORM has wrapped", () => {
    const inner = error("28P01", "password authentication failed");
    expect(isLoginRejected(new Error("Failed query", { cause: inner }))).toBe(true);
    expect(isLoginRejected(Object.assign(new Error("x"), { parent: inner }))).toBe(true);
    expect(isLoginRejected(new AggregateError([new Error("x"), inner]))).toBe(true);
  });

  test("knows our own answer while logins are held back", () => {
    expect(isLoginRejected(new LakebaseError("ERR_LAKEBASE_LOGIN_REJECTED", "held back"))).toBe(true);
  });

  test("does not take an application's own exception for a refused login", () => {
    expect(isLoginRejected(error("P0001", "JWT token has expired"))).toBe(false);
    expect(isLoginRejected(error("23514", 'check "Failed to decode token" violated'))).toBe(false);
  });
});

describe("isLoginRejected", () => {
  const fromPrisma = (cause: object) =>
    Object.assign(new Error("Invalid `prisma.user.count()` invocation"), {
      code: "P2010",
      meta: { driverAdapterError: Object.assign(new Error("AuthenticationFailed"), { cause }) },
    });

  test.each([
    ["by Prisma's own kind", { kind: "AuthenticationFailed", originalCode: "28P01", originalMessage: "no" }, true],
    ["in the server's words", { kind: "postgres", code: "XX000", message: "password authentication failed" }, true],
    ["for another reason", { kind: "DatabaseDoesNotExist", originalCode: "3D000", originalMessage: "no" }, false],
  ])("sees through Prisma's errors, %s", (_name, cause, rejected) => {
    expect(isLoginRejected(fromPrisma(cause))).toBe(rejected);
  });
});
