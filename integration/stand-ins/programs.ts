import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalLakebase } from "@x/lakebase-local";

/** How a program behaves; all of it can be changed between two runs. */
export interface ProgramState {
  fault?:
    | "hang"
    | "garbage"
    | "empty"
    | "no token"
    | "huge"
    | "crash"
    | "killed"
    /** It works, and says something on stderr. */
    | "warnings"
    | undefined;
  version?: "python" | "no force" | "no epoch" | undefined;
  /** How far its idea of a token's end is off. */
  skewMs: number;
  managed: boolean;
  mayManage: boolean;
  /** Whether the tenant lets it have tokens for Databricks. */
  mayUse: boolean;
  tenantId: string;
  subscription: string;
}

export interface Run {
  readonly args: readonly string[];
  /** Names of the variables that it was given. */
  readonly variables: readonly string[];
}

/** A program on the PATH, with sessions of its own. */
export interface Program {
  readonly path: string;
  /** Signs a person in, as a browser would. `name`: a profile or a workspace; `account` for `az`. */
  signIn(name: string, person?: string): Promise<void>;
  signOut(): void;
  set(state: Partial<ProgramState>): void;
  readonly runs: readonly Run[];
  /** Processes that were started to hang. */
  readonly hanging: readonly number[];
}

export interface Programs extends AsyncDisposable {
  /** The home folder, where `.databrickscfg` belongs. */
  readonly home: string;
  /** What a shell of this machine has. */
  readonly env: { readonly PATH: string; readonly HOME: string };
  readonly databricks: Program;
  readonly az: Program;
  writeConfig(text: string, mode?: number): Promise<string>;
  /** Time passes for them too. */
  advance(ms: number): void;
  /** As they were when they were installed: nobody is signed in, and no run is remembered. */
  reset(): Promise<void>;
}

const initial: ProgramState = {
  skewMs: 0,
  managed: false,
  mayManage: true,
  mayUse: true,
  tenantId: "tenant-of-acme",
  subscription: "subscription-of-acme",
};

/** Installs `databricks` and `az` in a folder of their own. They talk to the local Lakebase. */
export async function installPrograms(local: LocalLakebase): Promise<Programs> {
  const folder = await mkdtemp(join(tmpdir(), "lakebase-programs-"));
  const home = join(folder, "home");
  await mkdir(home);
  const databricks = await install("databricks", folder, local);
  const az = await install("az", folder, local);
  let clockOffsetMs = 0;
  return {
    home,
    env: { PATH: folder, HOME: home },
    databricks,
    az,
    async writeConfig(text, mode = 0o600) {
      const path = join(home, ".databrickscfg");
      await writeFile(path, text);
      await chmod(path, mode);
      return path;
    },
    advance(ms) {
      local.clock.advance(ms);
      clockOffsetMs += ms;
      for (const program of [databricks, az]) program.change({ clockOffsetMs });
    },
    async reset() {
      for (const program of [databricks, az]) {
        program.change({ ...initial, clockOffsetMs, sessions: {}, fault: undefined, version: undefined });
        program.forget();
      }
      await rm(join(home, ".databrickscfg"), { force: true });
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

async function install(name: "databricks" | "az", folder: string, local: LocalLakebase) {
  const path = join(folder, name);
  const statePath = join(folder, `${name}.json`);
  const [logPath, pidsPath] = [join(folder, `${name}.log`), join(folder, `${name}.pids`)];
  const module = new URL(`./${name}-program.mjs`, import.meta.url).href;
  await writeFile(
    path,
    `#!${process.execPath}\nimport(${JSON.stringify(module)}).then(({ main }) => main(process.argv.slice(2), ${JSON.stringify(statePath)}));\n`,
    { mode: 0o755 },
  );
  const { workspaceUrl, ca } = local;
  const change = (changes: object) => {
    const current = existsSync(statePath) ? JSON.parse(readFileSync(statePath, "utf8")) : {};
    writeFileSync(statePath, JSON.stringify({ ...current, ...changes }));
  };
  const lines = (file: string) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : []);
  change({ ...initial, clockOffsetMs: 0, sessions: {}, workspaceUrl, ca });
  return {
    path,
    change,
    set: (state: Partial<ProgramState>) => change({ fault: undefined, ...state }),
    async signIn(key: string, person = local.user.userName) {
      const session = await signIn(local, person);
      const { sessions } = JSON.parse(readFileSync(statePath, "utf8"));
      change({ sessions: { ...sessions, [key]: session } });
    },
    signOut: () => change({ sessions: {} }),
    get runs(): readonly Run[] {
      return lines(logPath).map((line) => JSON.parse(line));
    },
    get hanging(): readonly number[] {
      return lines(pidsPath).map(Number);
    },
    forget() {
      for (const file of [logPath, pidsPath]) writeFileSync(file, "");
    },
  };
}

/** Authorization code with PKCE, as the Databricks CLI signs people in. */
async function signIn(local: LocalLakebase, person: string) {
  const verifier = randomBytes(32).toString("base64url");
  const redirectUri = "http://localhost:40124";
  const page = new URL(`${local.workspaceUrl}/oidc/v1/authorize`);
  page.search = new URLSearchParams({
    response_type: "code",
    client_id: "databricks-cli",
    redirect_uri: redirectUri,
    scope: "all-apis offline_access",
    state: randomBytes(8).toString("hex"),
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  }).toString();
  const code = new URL(await local.answerConsent(page, { person })).searchParams.get("code") ?? "";
  const answer = await post(local, {
    grant_type: "authorization_code",
    client_id: "databricks-cli",
    redirect_uri: redirectUri,
    code_verifier: verifier,
    code,
  });
  const { access_token, refresh_token, expires_in } = JSON.parse(answer);
  return { access_token, refresh_token, endsAt: local.clock.now() + expires_in * 1000 };
}

function post(local: LocalLakebase, form: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${local.workspaceUrl}/oidc/v1/token`,
      { method: "POST", ca: local.ca, agent: false, headers: { "content-type": "application/x-www-form-urlencoded" } },
      async (incoming) => {
        let body = "";
        for await (const chunk of incoming) body += chunk;
        resolve(body);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(new URLSearchParams(form).toString());
  });
}
