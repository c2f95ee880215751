import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../test/fake-clock.ts";
import { failure, json } from "../test/fake-workspace.ts";
import { LakebaseError } from "./errors.ts";
import { maxRetryAfterMs } from "./expiry.ts";
import { sendRequest } from "./http.ts";
import type { WorkspaceRequest } from "./workspace-auth.ts";

const url = "https://acme.cloud.databricks.com/api/2.0/postgres/credentials";
const canary = "dapi-canary-0f1e2d";
const post: WorkspaceRequest = { method: "POST", url, headers: { authorization: `Bearer ${canary}` }, body: "{}" };

function send(
  answer: (...args: Parameters<typeof fetch>) => unknown,
  request = post,
  signal = new AbortController().signal,
) {
  return sendRequest(
    request,
    { purpose: "credential request", signal, holdProcess: true },
    { clock: new FakeClock(), userAgent: "acme x-lakebase/0", extraCa: undefined, fetch: answer as typeof fetch },
  );
}

const refusal = async (...args: Parameters<typeof send>) => {
  const error: unknown = await send(...args).then(
    () => new Error("was accepted"),
    (reason) => reason,
  );
  expect(inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })).not.toContain(canary);
  return error;
};

describe("sendRequest", () => {
  test("sends what it is given, says who it is, and answers JSON with the server's clock", async () => {
    const seen: unknown[] = [];
    const answer = await send((input, init) => {
      seen.push(
        String(input),
        init?.method,
        init?.body,
        init?.redirect,
        Object.fromEntries(new Headers(init?.headers)),
      );
      return json({ a: 1 }, 200, { date: "Thu, 01 Jan 2026 12:00:00 GMT" });
    });
    expect(answer).toEqual({ json: { a: 1 }, serverNow: Date.UTC(2026, 0, 1, 12) });
    expect(seen).toEqual([
      url,
      "POST",
      "{}",
      "manual",
      { accept: "application/json", "user-agent": "acme x-lakebase/0", authorization: `Bearer ${canary}` },
    ]);
  });

  test.each([
    ["a host of the network", "http://metadata.example/", true],
    ["an address of the network", "http://10.0.0.1/", true],
    ["a look-alike of the metadata service", "http://169.254.169.254.example/", true],
    ["loopback, unless it is asked for", "http://127.0.0.1:1/", false],
  ])("does not speak plain HTTP with %s", async (_name, address, plainHttp) => {
    const request: WorkspaceRequest = { method: "GET", url: address, ...(plainHttp ? { plainHttp: true } : {}) };
    expect(await refusal(() => Promise.reject(new Error("was sent")), request)).toMatchObject({
      code: "ERR_LAKEBASE_TLS",
    });
  });

  test("speaks plain HTTP with a metadata service, past an injected fetch", async () => {
    const server = createServer((_request, response) => response.end('{"access_token":"t"}'));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const throughProxy = () => Promise.reject(new Error("went through the proxy"));
    const answer = await send(throughProxy, { method: "GET", url: `http://127.0.0.1:${port}/`, plainHttp: true });
    server.close();
    expect(answer.json).toEqual({ access_token: "t" });
  });

  test.each(["http://acme.example/", "ftp://acme.example/", "file:///etc/passwd"])(
    "sends nothing to %s",
    async (insecure) => {
      let sent = 0;
      const error = await refusal(() => ++sent, { ...post, url: insecure });
      expect(error).toMatchObject({ code: "ERR_LAKEBASE_TLS", retryable: false });
      expect(sent).toBe(0);
    },
  );

  test.each([
    [400, "ERR_LAKEBASE_BAD_REQUEST", false],
    [401, "ERR_LAKEBASE_UNAUTHENTICATED", false],
    [403, "ERR_LAKEBASE_PERMISSION_DENIED", false],
    [404, "ERR_LAKEBASE_NOT_FOUND", false],
    [418, "ERR_LAKEBASE_BAD_RESPONSE", false],
    [429, "ERR_LAKEBASE_RATE_LIMITED", true],
    [500, "ERR_LAKEBASE_UNAVAILABLE", true],
    [501, "ERR_LAKEBASE_BAD_RESPONSE", false],
    [502, "ERR_LAKEBASE_UNAVAILABLE", true],
    [503, "ERR_LAKEBASE_UNAVAILABLE", true],
    [504, "ERR_LAKEBASE_UNAVAILABLE", true],
  ])("makes HTTP %i into %s", async (status, code, retryable) => {
    const error = await refusal(() => failure(status));
    expect(error).toMatchObject({ code, retryable, message: expect.stringContaining(`HTTP ${status}, SOME_CODE`) });
    expect((error as Error).message).toMatch(/^credential request to acme\.cloud\.databricks\.com failed: /);
    expect(inspect(error)).not.toContain("prose");
  });

  test.each<[string, Response]>([
    ["Databricks' words", json({ message: `Provided OAuth token does not have required scopes: ${canary}` }, 403)],
    ["the word of RFC 6750", json({ error: "insufficient_scope" }, 403)],
    ["its header", json({}, 403, { "www-authenticate": 'Bearer error="insufficient_scope"' })],
  ])("knows a token without the scope by %s", async (_name, answer) => {
    const error = await refusal(() => answer.clone());
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_MISSING_SCOPE", retryable: false });
    expect((error as Error).message).toMatch(/without the scope `postgres`.*sign in again.*HTTP 403/);
    expect(inspect(error)).not.toContain(canary);
  });

  test("names the scope that tells who somebody is", async () => {
    const answer = () => json({ error: "insufficient_scope" }, 403);
    const error = await refusal(answer, {
      ...post,
      url: "https://acme.cloud.databricks.com/api/2.0/preview/scim/v2/Me",
    });
    expect((error as Error).message).toContain("`iam.current-user:read`");
  });

  test.each([301, 302, 307, 308])("follows no redirect (%i)", async (status) => {
    const error = await refusal(() => new Response(null, { status, headers: { location: "https://evil.example/" } }));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_BAD_RESPONSE", retryable: false });
    expect((error as Error).message).toContain("redirect");
    expect((error as Error).message).not.toContain("evil");
  });

  test.each([
    ["seconds", "7", 7000],
    ["a date, by the server's own clock", "Thu, 01 Jan 2026 12:00:30 GMT", 30_000],
    ["a billion", "1000000000", maxRetryAfterMs],
    ["words", "soon", undefined],
  ])("reads Retry-After in %s", async (_name, header, expected) => {
    const headers = { "retry-after": header, date: "Thu, 01 Jan 2026 12:00:00 GMT" };
    expect(((await refusal(() => failure(429, headers))) as LakebaseError).retryAfterMs).toBe(expected);
    expect(((await refusal(() => failure(503, headers))) as LakebaseError).retryAfterMs).toBe(expected);
    expect(((await refusal(() => failure(403, headers))) as LakebaseError).retryAfterMs).toBeUndefined();
  });

  test.each([
    ["a sign-in page", `<html>${canary}</html>`],
    ["nothing", ""],
    ["a list", "[1]"],
    ["a number", "5"],
    ["null", "null"],
    ["text", `"${canary}"`],
    ["half an object", `{"token": "${canary}`],
  ])("takes %s for no answer, and quotes none of it", async (_name, body) => {
    const error = await refusal(() => new Response(body));
    expect(error).toMatchObject({ code: "ERR_LAKEBASE_BAD_RESPONSE", message: expect.stringContaining("not JSON") });
  });

  test("quotes nothing of an error's body but its code", async () => {
    for (const body of [
      { error_code: canary },
      { error: canary },
      { message: canary },
      { error: { a: canary } },
      canary,
    ]) {
      expect(await refusal(() => json(body, 400))).toMatchObject({ code: "ERR_LAKEBASE_BAD_REQUEST" });
    }
  });

  test("reads no more than 256 kB, and stops the stream", async () => {
    let sent = 0;
    let cancelled = false;
    const large = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            sent += 10_000;
            if (sent > 1_000_000) controller.close();
            else controller.enqueue(new Uint8Array(10_000));
          },
          cancel: () => {
            cancelled = true;
          },
        }),
      );
    expect(await refusal(large)).toMatchObject({
      code: "ERR_LAKEBASE_BAD_RESPONSE",
      message: expect.stringContaining("larger"),
    });
    expect(cancelled).toBe(true);
    expect(sent).toBeLessThan(400_000);
  });

  test.each([
    ["ENOTFOUND", "ERR_LAKEBASE_UNAVAILABLE", /does not resolve/],
    ["ECONNREFUSED", "ERR_LAKEBASE_UNAVAILABLE", /connection failed \(ECONNREFUSED\)/],
    ["ECONNRESET", "ERR_LAKEBASE_UNAVAILABLE", /ECONNRESET/],
    ["SELF_SIGNED_CERT_IN_CHAIN", "ERR_LAKEBASE_TLS", /workspaceCa/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "ERR_LAKEBASE_TLS", /could not be verified/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_LAKEBASE_TLS", /could not be verified/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "ERR_LAKEBASE_TLS", /could not be verified/],
    ["CERT_HAS_EXPIRED", "ERR_LAKEBASE_TLS", /could not be verified/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_LAKEBASE_TLS", /could not be verified/],
  ])("makes %s, however fetch has wrapped it, into %s", async (code, expected, message) => {
    const cause = Object.assign(new Error("inner"), { code });
    const error = await refusal(() => Promise.reject(new TypeError("fetch failed", { cause })));
    expect(error).toMatchObject({
      code: expected,
      retryable: expected !== "ERR_LAKEBASE_TLS",
      message: expect.stringMatching(message),
    });
    expect((error as Error).cause).toBeDefined();
  });

  test.each([
    [
      "throws at once",
      () => {
        throw new Error("sync");
      },
    ],
    ["throws no error", () => Promise.reject("text")],
    ["answers nothing", () => undefined],
    ["answers text", () => "text"],
    ["answers no headers", () => ({ status: 200, body: null })],
    ["answers a body of text", () => ({ status: 200, headers: new Headers(), body: ["{}"] })],
  ])("makes a LakebaseError of a fetch that %s", async (_name, answer) => {
    const error = await refusal(answer);
    expect(error).toBeInstanceOf(LakebaseError);
  });

  test("never shows a token that fetch refuses to send", async () => {
    const request = { ...post, headers: { authorization: `Bearer ${canary}\nx` } };
    await refusal((input, init) => globalThis.fetch(input, init), request);
  });

  test("ends with the reason of its signal", async () => {
    const controller = new AbortController();
    const reason = new LakebaseError("ERR_LAKEBASE_CLOSED", "closed");
    const answer = (_input: unknown, init?: RequestInit) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      });
    const sent = send(answer, post, controller.signal);
    controller.abort(reason);
    await expect(sent).rejects.toBe(reason);
  });

  test("answers an object or a LakebaseError for whatever the server writes", async () => {
    const header = fc.stringMatching(/^[\x21-\x7e]{0,30}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 200, max: 599 }),
        fc.oneof(fc.string(), fc.json()),
        header,
        async (status, body, text) => {
          const empty = [204, 205, 304].includes(status);
          const response = new Response(empty ? null : body, { status, headers: { date: text, "retry-after": text } });
          const result: unknown = await send(() => response).catch((error) => error);
          if (result instanceof LakebaseError) expect(result.message.length).toBeLessThan(400);
          else expect(result).toEqual({ json: expect.any(Object), serverNow: undefined });
        },
      ),
    );
  });
});
