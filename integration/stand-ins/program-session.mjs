import { spawn } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";

/** @typedef {{ access_token: string, refresh_token: string, endsAt: number }} Session */

/** What a program keeps on disk between two runs, and how it is to behave. */
export function openState(/** @type {string} */ path) {
  const state = JSON.parse(readFileSync(path, "utf8"));
  return {
    ...state,
    now: Date.now() + state.clockOffsetMs,
    keep(/** @type {string} */ name, /** @type {Session} */ session) {
      const current = JSON.parse(readFileSync(path, "utf8"));
      current.sessions[name] = session;
      writeFileSync(path, JSON.stringify(current));
    },
  };
}

/** Writes down that it was run, and with what: also what it should not have been given. */
export function record(/** @type {string} */ path, /** @type {string[]} */ args) {
  appendFileSync(
    path.replace(/\.json$/, ".log"),
    `${JSON.stringify({ args, variables: Object.keys(process.env), pid: process.pid })}\n`,
  );
}

/** Gets a new access token for a session, as every OAuth client does. */
export async function refresh(/** @type {any} */ state, /** @type {Session} */ session) {
  const { status, body } = await post(
    `${state.workspaceUrl}/oidc/v1/token`,
    { grant_type: "refresh_token", refresh_token: session.refresh_token, client_id: "databricks-cli" },
    state.ca,
  );
  if (status !== 200) return undefined;
  const { access_token, refresh_token, expires_in } = JSON.parse(body);
  return { access_token, refresh_token, endsAt: state.now + Number(expires_in) * 1000 };
}

/** Its ways to go wrong, whatever the program. Answers whether one of them was wanted. */
export function misbehave(/** @type {string | undefined} */ fault, /** @type {string} */ path) {
  switch (fault) {
    case "hang": {
      // A program that is a script waits for another one.
      const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { stdio: "inherit" });
      appendFileSync(path.replace(/\.json$/, ".pids"), `${process.pid}\n${child.pid}\n`);
      setInterval(() => {}, 1e6);
      return true;
    }
    case "garbage":
      process.stdout.write("<!doctype html><title>Sign in</title>");
      return true;
    case "empty":
      return true;
    case "no token":
      process.stdout.write('{"token_type":"Bearer"}');
      return true;
    case "huge":
      process.stdout.write("x".repeat(1_000_000));
      return true;
    case "crash":
      process.stderr.write("panic: a stack trace with Authorization: Bearer stderr-s3cret\n");
      process.exitCode = 2;
      return true;
    case "killed":
      process.kill(process.pid, "SIGKILL");
      return true;
    default:
      return false;
  }
}

export function fail(/** @type {string} */ message, code = 1) {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}

/** @returns {Promise<{ status: number | undefined, body: string }>} */
function post(/** @type {string} */ url, /** @type {Record<string, string>} */ form, /** @type {string} */ ca) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method: "POST", ca, agent: false, headers: { "content-type": "application/x-www-form-urlencoded" } },
      (incoming) => {
        let body = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (chunk) => {
          body += chunk;
        });
        incoming.on("end", () => resolve({ status: incoming.statusCode, body }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(new URLSearchParams(form).toString());
  });
}
