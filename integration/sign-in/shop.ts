import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  createLakebaseUsers,
  findLakebaseError,
  type KeptSignIn,
  type LakebaseErrorCode,
  type LakebaseUsersOptions,
  type UserSessionOptions,
  userSession,
} from "@x/lakebase-core";
import { LakebaseDialect } from "@x/lakebase-kysely";
import { type Generated, Kysely, sql } from "kysely";

interface Database {
  orders: { id: Generated<number>; owner: Generated<string>; item: string };
}

export interface ShopOptions {
  /** The OAuth app, and the store for the tokens of everybody who is signed in. */
  oauth: Omit<UserSessionOptions, "key"> & { redirectUri: string };
  /** Where the database is; left out: as the environment says. */
  lakebase?: LakebaseUsersOptions;
}

/** A shop in which everybody sees their own orders: Postgres knows who asks. */
export function createShop({ oauth, lakebase = {} }: ShopOptions): Server {
  const { origin } = new URL(oauth.redirectUri);
  // What a browser has begun and not ended, by its session; two tabs may have begun at once, so by state. It belongs where
  // your sessions are, and ends with them.
  const begun = new Map<string, Map<string, KeptSignIn>>();
  const users = createLakebaseUsers(
    { applicationName: { isv: "acme", product: "shop" }, maxUsers: 200, ...lakebase },
    (handle) => new Kysely<Database>({ dialect: new LakebaseDialect({ lakebase: handle, max: 2 }) }),
  );

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "", origin);
    const id = sessionId(request);
    const session = userSession({ ...oauth, key: id ?? "nobody" });
    switch (`${request.method} ${pathname}`) {
      case "POST /sign-in": {
        const { url, ...kept } = await session.createAuthorizationUrl();
        const browser = id ?? newSessionId();
        begun.set(browser, new Map([...(begun.get(browser) ?? [])].slice(-4)).set(kept.state, kept));
        setSession(response, browser);
        return redirect(response, url);
      }
      case "GET /callback": {
        const tries = begun.get(id ?? "");
        const state = new URL(request.url ?? "", origin).searchParams.get("state") ?? "";
        const kept = tries?.get(state);
        tries?.delete(state);
        // A session of its own for whoever comes: what the browser was before is not taken over.
        const next = newSessionId();
        await userSession({ ...oauth, key: next }).exchangeAuthorizationCode(request.url ?? "", kept);
        if (id !== undefined) await session.signOut();
        if (tries?.size) begun.set(next, tries);
        begun.delete(id ?? "");
        setSession(response, next);
        return redirect(response, "/");
      }
      case "POST /sign-out": {
        await session.signOut();
        response.setHeader("set-cookie", "session=; Path=/; Max-Age=0");
        return redirect(response, "/");
      }
      case "GET /": {
        const { token } = await session.accessToken();
        const { me, orders } = await users.use({ accessToken: token }, async (db) => ({
          me: (await sql<{ me: string }>`select current_user::text as me`.execute(db)).rows[0]?.me ?? "",
          orders: await db.selectFrom("orders").select(["id", "item"]).orderBy("id").execute(),
        }));
        const items = orders.map(({ item }) => `<li>${plain(item)}</li>`).join("");
        return page(
          response,
          200,
          `<h1>Your orders</h1>
           <p>Signed in as <strong>${plain(me)}</strong></p>
           ${items ? `<ol>${items}</ol>` : "<p>You have none yet.</p>"}
           <form method="post" action="/orders"><label>Item <input name="item" required maxlength="80"></label> <button>Order</button></form>
           <form method="post" action="/sign-out"><button class="quiet">Sign out</button></form>`,
        );
      }
      case "POST /orders": {
        const { token } = await session.accessToken();
        const item = (await readForm(request)).get("item") ?? "";
        await users.use({ accessToken: token }, (db) => db.insertInto("orders").values({ item }).execute());
        return redirect(response, "/");
      }
      default:
        return page(response, 404, "<h1>There is no such page</h1>");
    }
  }

  const server = createServer((request, response) => {
    if (request.method === "POST" && request.headers.origin !== origin)
      return page(response, 403, "<h1>This form was sent by another site</h1>");
    answer(request, response).catch((error: unknown) => explain(error, response));
  });
  server.on("close", () => users.close());
  return server;
}

const signIn = (why: string) =>
  `<h1>The shop</h1><p>${why}</p><form method="post" action="/sign-in"><button>Sign in</button></form>`;

/** What can go wrong, as far as it is the person's business. */
const troubles: Partial<Record<LakebaseErrorCode, { status: number; content: string }>> = {
  ERR_LAKEBASE_SIGN_IN_REQUIRED: { status: 401, content: signIn("Sign in to see your orders.") },
  // The workspace has ended the token before its time.
  ERR_LAKEBASE_UNAUTHENTICATED: { status: 401, content: signIn("Sign in to see your orders.") },
  ERR_LAKEBASE_SIGN_IN_DENIED: {
    status: 403,
    content: signIn("You have not let the shop in, so nobody is signed in."),
  },
  ERR_LAKEBASE_SIGN_IN_FAILED: { status: 400, content: signIn("That sign-in cannot be used any more. Begin again.") },
  ERR_LAKEBASE_MISSING_ROLE: {
    status: 403,
    content: "<h1>You have no account here</h1><p>Ask for one at the desk.</p>",
  },
};

function explain(error: unknown, response: ServerResponse): void {
  const trouble = troubles[findLakebaseError(error)?.code ?? "ERR_LAKEBASE_DRIVER"];
  if (!trouble) console.error(error);
  const unknown = { status: 502, content: "<h1>The shop cannot be reached just now</h1><p>Try again in a moment.</p>" };
  const { status, content } = trouble ?? unknown;
  page(response, status, content);
}

function newSessionId(): string {
  return randomBytes(32).toString("base64url");
}

/** Out of reach of scripts; Lax, so that it comes along when the workspace sends the browser back. */
function setSession(response: ServerResponse, id: string): void {
  response.setHeader("set-cookie", `session=${id}; Path=/; HttpOnly; Secure; SameSite=Lax`);
}

function sessionId({ headers }: IncomingMessage): string | undefined {
  return /(?:^|;\s*)session=([\w-]{43})(?:;|$)/.exec(headers.cookie ?? "")?.[1];
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = "";
  for await (const chunk of request) if (body.length < 10_000) body += chunk;
  return new URLSearchParams(body);
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, "cache-control": "no-store" }).end();
}

function plain(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const style = `
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  body { max-width: 32rem; margin: 0 auto; padding: 2rem 1.25rem; overflow-wrap: anywhere; }
  form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; margin-top: 1.5rem; }
  label { flex: 1 1 12rem; }
  input { width: 100%; box-sizing: border-box; }
  input, button { font: inherit; min-height: 2.75rem; padding: .4rem 1rem; border: 1px solid #5a86a3; border-radius: .5rem; }
  button { border-color: #0f5c8c; background: #0f5c8c; color: #fff; }
  button.quiet { border-color: #5a86a3; background: none; color: inherit; }`;

function page(response: ServerResponse, status: number, content: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  });
  response.end(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The shop</title>
<style>${style}</style>
<main>${content}</main>
</html>`);
}
