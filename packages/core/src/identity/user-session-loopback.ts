import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { FullClock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { type ConfigProblem, configError, LakebaseError } from "../errors.ts";
import type { KeptSignIn } from "./user-session-oauth.ts";

/** Options of `signInOnLoopback()`. */
export interface LoopbackOptions {
  /** Is given the address that the person's browser must go to: open it, or print it. What it returns is not waited for. */
  open: (url: string) => unknown;
  /**
   * On 127.0.0.1; 0: any that is free, for an OAuth app that takes any. Default: that of the session's `redirectUri` where that
   * is a loopback one, else 8020, which `databricks-cli` has registered (as `http://localhost:8020`).
   */
  port?: number | undefined;
  /** How long the person may take, milliseconds, a day at most. Default 300 000. */
  timeoutMs?: number | undefined;
  /** Gives up early, with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What is left to the session. */
interface Attempt<SignedIn> {
  createAuthorizationUrl(options: { redirectUri: string }): Promise<KeptSignIn & { readonly url: string }>;
  exchangeAuthorizationCode(callback: URL, kept: KeptSignIn): Promise<SignedIn>;
}

/** A day: timers of Node end at once beyond 24 of them. */
const longestMs = 86_400_000;

/** Signs somebody in by a browser on this machine (RFC 8252 section 7.3). Whatever happens, the port is given back. */
export async function signInOnLoopback<SignedIn>(
  session: Attempt<SignedIn>,
  options: LoopbackOptions,
  { clock, redirectUri }: { readonly clock: FullClock; readonly redirectUri: string | undefined },
): Promise<SignedIn> {
  const { open, timeoutMs = 300_000, signal } = Object(options) as LoopbackOptions;
  const problems: ConfigProblem[] = [];
  const wrong = (option: string, message: string) => problems.push({ option: `signInOnLoopback: ${option}`, message });
  if (typeof open !== "function") wrong("open", "must be a function that is given the address");
  const place = new URL(redirectUri?.startsWith("http:") ? redirectUri : "http://localhost:8020");
  const port = options.port ?? Number(place.port || 80);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    wrong("port", "must be a port, or 0 for any that is free");
  }
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > longestMs) {
    wrong("timeoutMs", `must be a whole number from 1 to ${longestMs}`);
  }
  if (problems.length > 0) throw configError(problems);
  const expired = () =>
    new LakebaseError("ERR_LAKEBASE_SIGN_IN_FAILED", `sign-in failed: nobody came back within ${timeoutMs} ms`);

  const server = createServer();
  try {
    return await withDeadline({ clock, timeoutMs, signal, expired }, async () => {
      place.port = String(await listen(server, place.hostname, port));
      const path = place.pathname === "/" ? "" : place.pathname;
      const { url, ...kept } = await session.createAuthorizationUrl({
        redirectUri: options.port === undefined && redirectUri?.startsWith("http:") ? redirectUri : place.origin + path,
      });
      return await new Promise<SignedIn>((resolve, reject) => {
        let used = false;
        server.on("request", (request, response) => {
          const callback = URL.canParse(request.url ?? "", place.origin)
            ? new URL(request.url ?? "", place.origin)
            : undefined;
          // Another site that guesses the port, by a name of its own or with a state of its own, is not who we wait for.
          const isOurs = request.method === "GET" && request.headers.host === place.host && !used;
          if (!isOurs || callback?.pathname !== place.pathname) return answer(response, 404, "There is nothing here.");
          if (callback.searchParams.get("state") !== kept.state) {
            return answer(response, 400, "This page does not belong to the sign-in that is under way.");
          }
          used = true;
          session.exchangeAuthorizationCode(callback, kept).then(
            (signedIn) => {
              whenGone(response, () => resolve(signedIn));
              answer(response, 200, "You are signed in. You can close this window.");
            },
            (error: unknown) => {
              whenGone(response, () => reject(error));
              answer(response, 400, "Sign-in failed. The program that asked for it can tell why.");
            },
          );
        });
        Promise.resolve(url)
          .then(open)
          .catch((cause: unknown) => {
            reject(
              new LakebaseError("ERR_LAKEBASE_SIGN_IN_FAILED", "sign-in failed: the function `open` failed", { cause }),
            );
          });
      });
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

async function listen(server: ReturnType<typeof createServer>, hostname: string, port: number): Promise<number> {
  const host = hostname === "[::1]" ? "::1" : "127.0.0.1";
  try {
    await once(server.listen(port, host), "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new LakebaseError(
      "ERR_LAKEBASE_SIGN_IN_FAILED",
      `sign-in failed: port ${port} of ${host} cannot be listened on (${code}); give \`port\`, one that the OAuth app has registered`,
      { cause: error },
    );
  }
  return (server.address() as AddressInfo).port;
}

/** The tab may have been closed while the workspace was asked: nobody is left to be answered then. */
function whenGone(response: ServerResponse, settle: () => void): void {
  if (response.closed) settle();
  else response.on("close", settle);
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    // The address of this page holds the code.
    "referrer-policy": "no-referrer",
    connection: "close",
  });
  response.end(page(text));
}

function page(text: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign-in</title>
<style>
  :root { color-scheme: light dark; font: 18px/1.5 system-ui, sans-serif; }
  body { max-width: 28rem; margin: 20vh auto 0; padding: 0 1.5rem; }
</style>
<p>${text}</p>
</html>
`;
}
