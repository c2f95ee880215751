import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  isLakebaseError,
  type LakebaseOptions,
  type LoopbackOptions,
  type TokenStore,
  type UserSessionOptions,
  userSession,
} from "@x/lakebase-core";
import { type LakebasePool, lakebasePool } from "@x/lakebase-core/pg";

/** One file for each person, which nobody else may read. */
export function fileStore(folder: string): TokenStore {
  const file = (key: string) => join(folder, `${encodeURIComponent(key)}.json`);
  return {
    async get(key) {
      const text = await readFile(file(key), "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return "null";
        throw error;
      });
      return JSON.parse(text);
    },
    async set(key, session) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // Never half of it: what was there before is of no use any more.
      await writeFile(`${file(key)}.new`, JSON.stringify(session), { mode: 0o600 });
      await rename(`${file(key)}.new`, file(key));
    },
    delete: (key) => rm(file(key), { force: true }),
  };
}

/** A pool as whoever sits at this machine; they sign in when they have not, or not for long. */
export async function connect(
  session: Pick<UserSessionOptions, "workspaceHost" | "workspaceCa" | "clock">,
  folder: string,
  loopback: LoopbackOptions,
  lakebase: LakebaseOptions = {},
): Promise<LakebasePool> {
  const { workspaceHost, workspaceCa } = session;
  const auth = userSession({
    ...session,
    clientId: "databricks-cli",
    store: fileStore(folder),
    key: new URL(workspaceHost).host,
  });
  try {
    await auth.accessToken();
  } catch (error) {
    if (!isLakebaseError(error, "ERR_LAKEBASE_SIGN_IN_REQUIRED")) throw error;
    const { user } = await auth.signInOnLoopback(loopback);
    console.error(`signed in as ${user}`);
  }
  return lakebasePool({ ...lakebase, auth, workspaceCa });
}
