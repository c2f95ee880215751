import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program is on a PATH. */
export function findExecutable(name: string, path: string | undefined): string | undefined {
  return (path ?? "")
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
