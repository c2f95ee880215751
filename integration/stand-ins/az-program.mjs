import { parseArgs } from "node:util";
import { fail, misbehave, openState, record, refresh } from "./program-session.mjs";

const databricks = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/** `az account show` and `az account get-access-token`, as far as a login needs them. Its tokens are the workspace's own. */
export async function main(/** @type {string[]} */ args, /** @type {string} */ path) {
  record(path, args);
  const state = openState(path);
  if (misbehave(state.fault, path)) return;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      output: { type: "string" },
      resource: { type: "string" },
      tenant: { type: "string" },
      subscription: { type: "string" },
    },
  });
  let session = state.sessions.account;
  if (!session) return fail("ERROR: Please run 'az login' to setup account.");
  const user = {
    name: state.managed ? "systemAssignedIdentity" : "ada@example.com",
    type: state.managed ? "servicePrincipal" : "user",
  };
  const command = positionals.join(" ");
  if (command === "account show") return process.stdout.write(JSON.stringify({ tenantId: state.tenantId, user }));
  if (command !== "account get-access-token") return fail(`ERROR: '${command}' is misspelled or not recognized`, 2);
  if (values.tenant !== undefined && state.managed) {
    return fail("ERROR: Tenant shouldn't be specified for managed identity account");
  }
  if (values.tenant !== undefined && values.tenant !== state.tenantId) {
    return fail(`ERROR: AADSTS90002: Tenant '${values.tenant}' not found.`);
  }
  if (values.subscription !== undefined && values.subscription !== state.subscription) {
    return fail(`ERROR: Subscription '${values.subscription}' not found.`);
  }
  if (values.resource === databricks && !state.mayUse) {
    return fail("ERROR: AADSTS650057: Invalid resource.");
  }
  if (values.resource !== databricks) {
    if (!state.mayManage) return fail("ERROR: AADSTS50076: you must use multi-factor authentication");
    return print({ access_token: "management-t0ken", endsAt: session.endsAt });
  }
  if (session.endsAt <= state.now) {
    session = await refresh(state, session);
    if (!session)
      return fail("ERROR: AADSTS700082: The refresh token has expired due to inactivity. Please run: az login");
    state.keep("account", session);
  }
  return print(session);

  function print(/** @type {{ access_token: string, endsAt: number }} */ { access_token, endsAt }) {
    const seconds = Math.floor((endsAt + state.skewMs) / 1000);
    process.stdout.write(
      JSON.stringify({
        accessToken: access_token,
        expiresOn: `${localTime(seconds * 1000)}.000000`,
        ...(state.version === "no epoch" ? {} : { expires_on: seconds }),
        tenant: state.tenantId,
        tokenType: "Bearer",
      }),
    );
  }
}

/** Without its zone, as the program prints it. */
function localTime(/** @type {number} */ time) {
  const local = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace("T", " ");
}
