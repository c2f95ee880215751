import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findExecutable } from "./executable.ts";

/** `nobody` on every Linux and on macOS it is unused. */
const NOBODY = 65_534;

/** How programs of Postgres are run, since they refuse to run as root. */
export interface Account {
  /** For the log. */
  description: string;
  /** Owner that files must have, when it is not us. */
  owner?: { uid: number; gid: number };
  /** Whether the files of the installation can be read; otherwise they have to be copied. */
  readsInstallation: boolean;
  command(program: string, args: readonly string[]): { file: string; args: string[] };
}

/**
 * Not root: as we are. Root: in a user namespace, where root's own files stay readable (a checkout in a 0700 home works)
 * and Postgres sees itself as an ordinary user; where namespaces are forbidden: as another user, with copies of the files.
 */
export function chooseAccount(bin: string, path: string | undefined, isRoot = process.getuid?.() === 0): Account {
  const dying = parentDeathSignal(path);
  const plainly = (program: string, args: readonly string[]) => dying([program, ...args]);
  if (!isRoot) return { description: "as the current user", readsInstallation: true, command: plainly };
  const unshare = findExecutable("unshare", path);
  const namespace = unshare && [unshare, "--user", "--map-user=1000", "--map-group=1000", "--"];
  if (namespace && works([...namespace, "/bin/sh", "-c", ":"])) {
    return {
      description: "as root in a user namespace",
      // In there root is no longer let past the permissions of others' folders (a checkout in a user's home).
      readsInstallation: works([...namespace, "/bin/sh", "-c", 'test -r "$0"', join(bin, "postgres")]),
      command(program, args) {
        // setpriv stands inside: a change of credentials would take the signal away again.
        const inner = dying([program, ...args]);
        return split([...namespace, inner.file, ...inner.args]);
      },
    };
  }
  return {
    description: `as user ${NOBODY}`,
    owner: { uid: NOBODY, gid: NOBODY },
    readsInstallation: false,
    command: plainly,
  };
}

/** On Linux the kernel itself can end a child with its parent; elsewhere the guardian alone does it. */
function parentDeathSignal(path: string | undefined): (words: string[]) => { file: string; args: string[] } {
  const setpriv = findExecutable("setpriv", path);
  const prefix = setpriv ? [setpriv, "--pdeathsig", "QUIT", "--"] : [];
  const usable = prefix.length > 0 && works([...prefix, String(setpriv), "--version"]);
  return (words) => split(usable ? [...prefix, ...words] : words);
}

function split([file = "", ...args]: string[]): { file: string; args: string[] } {
  return { file, args };
}

function works(words: string[]): boolean {
  const { file, args } = split(words);
  return spawnSync(file, args, { stdio: "ignore" }).status === 0;
}
