import { randomBytes } from "node:crypto";
import type { Answer } from "../api-error.ts";
import type { Consent } from "./consents.ts";
import { scopeMeanings } from "./scopes.ts";

/** What a person reads and decides on. */
export interface ConsentPageOptions extends Consent {
  people: readonly string[];
  workspaceUrl: string;
}

/** The page on which a person says who they are and whether an app may act for them. Works without scripts. */
export function consentPage({ id, request, people, workspaceUrl }: ConsentPageOptions): Answer {
  const { app, scopes, loginHint, redirectUri } = request;
  const target = new URL(redirectUri);
  const options = people.map((person) => {
    const selected = person === loginHint ? " selected" : "";
    return `<option${selected}>${html(person)}</option>`;
  });
  const meanings = scopes.map((scope) => `<li>${html(scopeMeanings[scope] ?? scope)} <code>${html(scope)}</code></li>`);
  // Browsers look at form-action after a redirect too: https://w3c.github.io/webappsec-csp/#directive-form-action
  return page(
    200,
    `Sign in to ${app.name}`,
    `<h1><strong>${html(app.name)}</strong> asks for access</h1>
<p>to the workspace <span class="name">${html(new URL(workspaceUrl).host)}</span></p>
<form method="post">
<input type="hidden" name="consent" value="${html(id)}">
<label for="person">Sign in as</label>
<select id="person" name="person" required>${options.join("")}</select>
<h2 id="wants">It will be able to</h2>
<ul aria-labelledby="wants">${meanings.join("")}</ul>
<div class="buttons">
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny" class="quiet">Deny</button>
</div>
</form>
<p class="note">Afterwards you go back to <span class="name">${html(target.host)}</span>.</p>
<p class="note">This is a local Lakebase, for tests and development: nobody is asked for a password.</p>`,
    `'self' ${target.origin}`,
  );
}

/** What a person sees who was sent here by mistake or by somebody with bad intentions. */
export function errorPage(message: string): Answer {
  return page(
    400,
    "Sign-in is not possible",
    `<h1>Sign-in is not possible</h1>
<p role="alert">${html(message)}</p>
<p class="note">Go back to the app and begin anew. Nobody was signed in, and nothing was sent to the app.</p>`,
    "'none'",
  );
}

function page(status: number, title: string, content: string, formAction: string): Answer {
  const nonce = randomBytes(16).toString("base64");
  return {
    status,
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style nonce="${nonce}">${style}</style>
</head>
<body>
<main>
${content}
</main>
</body>
</html>
`,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": `default-src 'none'; style-src 'nonce-${nonce}'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`,
      "x-frame-options": "DENY",
      "x-content-type-options": "nosniff",
      "referrer-policy": "same-origin",
    },
  };
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const style = `
:root { color-scheme: light dark; --text: #1b2733; --quiet: #5a6b7b; --line: #cfd8e0; --back: #f3f6f8; --card: #fff; --accent: #0f5c8c; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --text: #e8edf2; --quiet: #a3b3c2; --line: #3a4a59; --back: #10171e; --card: #1a242e; --accent: #6cb8ea; --on-accent: #0c1822; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 27rem; padding: 1.75rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.35rem; font-weight: 400; line-height: 1.3; }
h1 + p { margin: .25rem 0 1.5rem; color: var(--quiet); }
h2, label { display: block; margin: 0 0 .35rem; font-size: 1rem; font-weight: 600; }
select, button { width: 100%; min-height: 2.75rem; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); color: inherit; font: inherit; }
select { margin-bottom: 1.5rem; border-color: var(--quiet); }
ul { margin: 0 0 1.5rem; padding: 0; list-style: none; border-top: 1px solid var(--line); }
li { padding: .5rem 0; border-bottom: 1px solid var(--line); }
code { display: block; color: var(--quiet); font-size: .8rem; }
.buttons { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
button { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; cursor: pointer; }
button.quiet { background: transparent; color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.name { font-family: ui-monospace, monospace; font-size: .9em; }
.note { margin: 1rem 0 0; color: var(--quiet); font-size: .875rem; }
`;
