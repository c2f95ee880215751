import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postGuardian } from "./guardian.ts";

/** `sun_path` has 104 bytes on macOS and 108 on Linux, one of them the zero at the end. */
const LONGEST_SOCKET_PATH = 103;

/** A folder that only we can enter (0700) and that goes away with us, even when we are killed. */
export interface PrivateFolder {
  path: string;
  remove(): Promise<void>;
}

export function createPrivateFolder(env: Record<string, string | undefined>): PrivateFolder {
  const temporary = env.TMPDIR || tmpdir();
  const tooLong = join(temporary, "lakebase-XXXXXX", ".s.PGSQL.5432").length > LONGEST_SOCKET_PATH;
  const path = mkdtempSync(join(tooLong ? "/tmp" : temporary, "lakebase-"));
  const guardian = postGuardian(path);
  return {
    path,
    async remove() {
      guardian.dismiss();
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
