import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredSession, TokenStore } from "@x/lakebase-core";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { findChromium, launchChromium } from "../sign-in/chromium.ts";
import { connect } from "../sign-in/report.ts";
import { createShop } from "../sign-in/shop.ts";

const hour = 3_600_000;
const ada = "ada@acme.example";
const bob = "bob@acme.example";
const executable = findChromium();

let local: LocalLakebase;
let browser: Browser;
let front: Server;
let shop: Server;
let origin: string;
let admin: pg.Client;
let contexts: BrowserContext[] = [];
const kept = new Map<string, string>();
/** Every address that a browser went to, and every page that the shop has shown. */
const seen: string[] = [];

const store: TokenStore = {
  get: async (key) => JSON.parse(kept.get(key) ?? "null"),
  set: async (key, session) => void kept.set(key, JSON.stringify(session)),
  delete: async (key) => void kept.delete(key),
};

beforeAll(async () => {
  if (!executable) return;
  local = await startLocalLakebase({ log: () => {} });
  await local.addPeople([ada, bob]);
  admin = new pg.Client(local.postgresUrl);
  await admin.connect();
  await admin.query(`
    create table orders (
      id int generated always as identity primary key,
      owner text not null default current_user,
      item text not null
    );
    alter table orders enable row level security;
    create policy own on orders using (owner = current_user) with check (owner = current_user);
    grant select, insert on orders to public;`);
  front = createServer((request, response) => shop.emit("request", request, response));
  await once(front.listen(0, "127.0.0.1"), "listening");
  origin = `http://localhost:${(front.address() as AddressInfo).port}`;
  const redirectUri = `${origin}/callback`;
  const { clientId, clientSecret } = local.registerApp({
    name: "The shop",
    redirectUris: [redirectUri],
    confidential: true,
  });
  shop = createShop({
    oauth: {
      workspaceHost: local.workspaceUrl,
      workspaceCa: local.ca,
      clientId,
      clientSecret: clientSecret as string,
      redirectUri,
      store,
      clock: local.clock,
    },
    lakebase: { env: local.env, clock: local.clock },
  });
  browser = await launchChromium(executable);
});

afterAll(async () => {
  await browser?.close();
  shop?.emit("close");
  front?.close();
  await admin?.end();
  await local?.close();
});

beforeEach(async ({ task, skip }) => {
  if (!executable) {
    task.meta.notRun = "no Chrome or Chromium on PATH (Debian: chromium)";
    skip(task.meta.notRun);
  }
  kept.clear();
  await admin.query("truncate orders restart identity");
});

afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
  local?.faults.clear();
  const text = seen.splice(0).join("\n");
  expect(local?.secrets().filter((secret) => secret !== "" && text.includes(secret)) ?? []).toEqual([]);
});

/** A browser of a person of its own: no cookie is shared. It trusts the local workspace's certificate. */
async function openBrowser(): Promise<Page> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  contexts.push(context);
  return watch(await context.newPage());
}

/** Codes are good once and are in an address for that long; nothing else that is secret may be anywhere. */
function watch(page: Page): Page {
  page.on("framenavigated", (frame) => seen.push(frame.url().replace(/code=[^&]+/, "")));
  page.on("load", async () => {
    if (page.url().startsWith(origin)) seen.push(await page.content().catch(() => ""));
  });
  return page;
}

async function begin(page: Page): Promise<void> {
  await page.goto(origin);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "The shop asks for access" }).waitFor();
}

async function decide(page: Page, person: string, decision: "Allow" | "Deny" = "Allow"): Promise<void> {
  await page.getByLabel("Sign in as").selectOption(person);
  await page.getByRole("button", { name: decision }).click();
  await page.waitForURL((url) => url.origin === origin);
}

async function signIn(page: Page, person: string): Promise<void> {
  await begin(page);
  await decide(page, person);
  await expectSignedIn(page, person);
}

async function expectSignedIn(page: Page, person: string): Promise<void> {
  expect(await page.getByText(/^Signed in as /).textContent()).toBe(`Signed in as ${person}`);
}

async function order(page: Page, item: string): Promise<void> {
  await page.getByLabel("Item").fill(item);
  await page.getByRole("button", { name: "Order" }).click();
  await page.getByRole("listitem").filter({ hasText: item }).waitFor();
}

const orders = (page: Page) => page.getByRole("listitem").allTextContents();
const message = (page: Page) => page.locator("main p").first().textContent();
const sessions = (): StoredSession[] => [...kept.values()].map((text) => JSON.parse(text));
const asked = (mark: number, operation: string) =>
  local.requests.slice(mark).filter((request) => request.operation === operation).length;

test("a person signs in through the consent page and sees what is theirs", async () => {
  await admin.query("insert into orders (owner, item) values ($1, 'a secret of somebody else')", [bob]);
  const page = await openBrowser();
  await page.goto(origin);
  expect(await message(page)).toBe("Sign in to see your orders.");
  await begin(page);
  expect(await page.getByRole("list", { name: "It will be able to" }).getByRole("listitem").count()).toBe(2);
  await decide(page, ada);
  await expectSignedIn(page, ada);
  expect(page.url()).toBe(`${origin}/`);
  expect(await orders(page)).toEqual([]);
  await order(page, "tea <b>&</b> milk");
  expect(await orders(page)).toEqual(["tea <b>&</b> milk"]);
  expect((await admin.query("select owner, item from orders order by id")).rows.at(-1)).toEqual({
    owner: ada,
    item: "tea <b>&</b> milk",
  });
  expect(local.logins.at(-1)).toMatchObject({ user: ada, outcome: "accepted" });
  const [cookie] = await page.context().cookies(origin);
  expect(cookie).toMatchObject({ name: "session", httpOnly: true, secure: true, sameSite: "Lax" });
});

test("a person stays signed in while tokens and refresh tokens come and go", async () => {
  const page = await openBrowser();
  await signIn(page, ada);
  const used = new Set(sessions().map(({ refreshToken }) => refreshToken));
  const mark = local.requests.length;
  for (let hours = 1; hours <= 5; hours += 1) {
    local.clock.advance(hour);
    local.killConnections("terminate");
    await page.reload();
    await expectSignedIn(page, ada);
    const [session] = sessions();
    used.add(session?.refreshToken);
  }
  expect([used.size, asked(mark, "token")]).toEqual([6, 5]);
});

test("tabs of one browser share a session, also when both begin at once", async () => {
  const page = await openBrowser();
  const other = watch(await page.context().newPage());
  await begin(page);
  await begin(other);
  await decide(other, ada);
  await decide(page, ada);
  // The second has ended the first's session and put its own in its place.
  for (const tab of [page, other]) {
    await tab.goto(origin);
    await expectSignedIn(tab, ada);
  }
  expect(sessions()).toHaveLength(1);
  local.clock.advance(hour);
  const mark = local.requests.length;
  await Promise.all([page.reload(), other.reload()]);
  for (const tab of [page, other]) await expectSignedIn(tab, ada);
  expect(asked(mark, "token")).toBe(1);
});

test("a person says no, and nobody is signed in", async () => {
  const page = await openBrowser();
  await begin(page);
  await decide(page, ada, "Deny");
  expect(await message(page)).toBe("You have not let the shop in, so nobody is signed in.");
  expect(kept.size).toBe(0);
  await page.goto(origin);
  expect(await message(page)).toBe("Sign in to see your orders.");
});

test("a person whom the database does not know is told so", async () => {
  const [eve] = await local.addPeople(["eve@acme.example"], { role: false });
  const page = await openBrowser();
  await begin(page);
  await decide(page, eve?.userName ?? "");
  expect(await page.getByRole("heading").textContent()).toBe("You have no account here");
});

test("a person signs out, here and at the workspace", async () => {
  const page = await openBrowser();
  await signIn(page, ada);
  const mark = local.requests.length;
  await page.getByRole("button", { name: "Sign out" }).click();
  expect(await message(page)).toBe("Sign in to see your orders.");
  expect([kept.size, asked(mark, "revoke")]).toEqual([0, 1]);
  await page.goBack();
  expect(await message(page)).toBe("Sign in to see your orders.");
  await signIn(page, bob);
});

test("a person whose session was revoked is asked to sign in again, and goes on", async () => {
  const page = await openBrowser();
  await signIn(page, ada);
  await order(page, "tea");
  local.signOut(ada);
  local.clock.advance(hour);
  await page.reload();
  expect(await message(page)).toBe("Sign in to see your orders.");
  await signIn(page, ada);
  expect(await orders(page)).toEqual(["tea"]);
});

test("two people in two browsers never see each other's orders", async () => {
  const [first, second] = await Promise.all([openBrowser(), openBrowser()]);
  await Promise.all([signIn(first, ada), signIn(second, bob)]);
  for (let round = 0; round < 3; round += 1) {
    await Promise.all([order(first, `ada's ${round}`), order(second, `bob's ${round}`)]);
    local.clock.advance(hour);
    local.killConnections("terminate");
    await Promise.all([first.reload(), second.reload()]);
    await Promise.all([expectSignedIn(first, ada), expectSignedIn(second, bob)]);
    const upTo = Array.from({ length: round + 1 }, (_, index) => index);
    expect(await orders(first)).toEqual(upTo.map((index) => `ada's ${index}`));
    expect(await orders(second)).toEqual(upTo.map((index) => `bob's ${index}`));
  }
});

test("one browser that changes hands shows each person their own", async () => {
  const page = await openBrowser();
  await signIn(page, ada);
  await order(page, "ada's");
  // Without signing out: by the button of a page that another tab still shows.
  const other = watch(await page.context().newPage());
  await other.goto(origin);
  await other.evaluate(`
    const form = document.createElement("form");
    form.method = "post";
    form.action = "/sign-in";
    document.body.append(form);
    form.submit();
  `);
  await other.getByRole("heading", { name: "The shop asks for access" }).waitFor();
  await decide(other, bob);
  for (const tab of [other, page]) {
    await tab.goto(origin);
    await expectSignedIn(tab, bob);
    expect(await orders(tab)).toEqual([]);
  }
  expect(sessions().map(({ user }) => user)).toEqual([bob]);
});

test("an address to come back to is good once, and in its own browser only", async () => {
  const page = await openBrowser();
  await begin(page);
  let back = "";
  page.on("request", (request) => {
    if (request.url().startsWith(`${origin}/callback`)) back = request.url();
  });
  await decide(page, ada);
  await expectSignedIn(page, ada);
  const failed = "That sign-in cannot be used any more. Begin again.";
  const thief = await openBrowser();
  for (const visitor of [thief, page]) {
    await visitor.goto(back);
    expect(await message(visitor)).toBe(failed);
  }
  // Nor is somebody signed in as another by a link: what the other began is not theirs.
  const victim = await openBrowser();
  const planted = await openBrowser();
  await begin(planted);
  back = await local.answerConsent(planted.url(), { person: bob });
  await victim.goto(back);
  expect(await message(victim)).toBe(failed);
  expect(sessions().map(({ user }) => user)).not.toContain(bob);
});

test("a command line signs a person in by their browser, once, and goes on by what it has kept", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lakebase-sign-in-test-"));
  const page = await openBrowser();
  const loopback = {
    port: 0,
    open: vi.fn(async (url: string) => {
      await page.goto(url);
      await page.getByLabel("Sign in as").selectOption(ada);
      await page.getByRole("button", { name: "Allow" }).click();
    }),
  };
  const session = { workspaceHost: local.workspaceUrl, workspaceCa: local.ca, clock: local.clock };
  try {
    for (let run = 0; run < 3; run += 1) {
      const pool = await connect(session, join(folder, "kept"), loopback, { env: local.env, clock: local.clock });
      expect((await pool.query("select current_user::text as me")).rows).toEqual([{ me: ada }]);
      await pool.end();
      local.clock.advance(hour);
    }
    expect(loopback.open).toHaveBeenCalledTimes(1);
    expect(await page.getByText("You are signed in").count()).toBe(1);
    const [file = ""] = readdirSync(join(folder, "kept"));
    expect(statSync(join(folder, "kept", file)).mode & 0o777).toBe(0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
