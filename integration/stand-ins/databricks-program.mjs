import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fail, misbehave, openState, record, refresh } from "./program-session.mjs";

/**
 * `databricks auth token`, as far as a login needs it: sessions by profile or workspace, its own cache, `--force-refresh`,
 * and the words with which it refuses.
 */
export async function main(/** @type {string[]} */ args, /** @type {string} */ path) {
  record(path, args);
  const state = openState(path);
  if (state.version === "python") {
    return fail("Usage: databricks [OPTIONS] COMMAND [ARGS]...\n\nError: No such command 'auth'.", 2);
  }
  if (misbehave(state.fault, path)) return;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      profile: { type: "string" },
      host: { type: "string" },
      "force-refresh": { type: "boolean" },
    },
  });
  if (positionals.join(" ") !== "auth token") return fail(`Error: unknown command "${positionals.join(" ")}"`);
  if (values["force-refresh"] && state.version === "no force") return fail("Error: unknown flag: --force-refresh");

  const profiles = readProfiles();
  let name = values.profile ?? process.env.DATABRICKS_CONFIG_PROFILE;
  if (name === undefined && values.host !== undefined) {
    const matching = profiles.filter(({ host }) => host === values.host);
    if (matching.length > 1) {
      const names = matching.map((profile) => profile.name).join(" and ");
      return fail(
        `Error: ${names} match ${values.host} in .databrickscfg. Use --profile to specify which profile to use`,
      );
    }
    name = matching[0]?.name;
  }
  const profile = profiles.find((candidate) => candidate.name === name);
  if (name !== undefined && !profile) return fail(`Error: profile "${name}" not found`);
  if (profile?.isPrincipal) return fail(`Error: profile "${name}" uses M2M authentication`);

  const key = name ?? values.host ?? "";
  let session = state.sessions[key];
  if (!session) return fail("Error: cache: databricks OAuth is not configured for this host");
  if (values["force-refresh"] || session.endsAt <= state.now) {
    try {
      session = await refresh(state, session);
    } catch {
      return fail("Error: token refresh: dial tcp 127.0.0.1: connect: connection refused");
    }
    if (!session) return fail("Error: A new access token could not be retrieved because the refresh token is invalid.");
    state.keep(key, session);
  }
  if (state.fault === "warnings") process.stderr.write("Warn: [hostmetadata] a newer version is available\n");
  const expiry = new Date(session.endsAt + state.skewMs).toISOString();
  process.stdout.write(JSON.stringify({ access_token: session.access_token, token_type: "Bearer", expiry }, null, 2));
}

function readProfiles() {
  const path = process.env.DATABRICKS_CONFIG_FILE ?? join(homedir(), ".databrickscfg");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split(/^\[/m)
    .slice(1)
    .map((section) => ({
      name: section.slice(0, section.indexOf("]")),
      host: /^host\s*=\s*(\S+)/m.exec(section)?.[1],
      isPrincipal: /^client_secret\s*=/m.test(section),
    }));
}
