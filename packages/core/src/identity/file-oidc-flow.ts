import { readFile } from "node:fs/promises";
import { configError } from "../errors.ts";
import type { AuthFlow } from "./auth-flow.ts";
import type { FileOidcOptions } from "./oidc.ts";
import { exchangeFlow } from "./subject-token-flow.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "is not there: is it mounted, and is the path right?",
  EACCES: "must not be read by the user of this process: change its permissions, or those of its folder",
  EISDIR: "is a folder: name the file in it",
};

/** Exchanges what a file holds at that moment. */
export function createFlow(options: FileOidcOptions): AuthFlow {
  const { path } = options;
  const problem = (message: string) =>
    configError([{ option: "auth: fileOidc.path", message: `the file ${path} ${message}` }]);
  return exchangeFlow("fileOidc", options, ["path"], async ({ signal }) => {
    let text: string;
    try {
      text = await readFile(path, { encoding: "utf8", signal });
    } catch (error) {
      signal.throwIfAborted();
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      throw problem(reasons[code] ?? `cannot be read (${code})`);
    }
    if (text.trim() === "")
      throw problem("is empty: what writes it there must put the JWT of your identity provider in it");
    return text.trim();
  });
}
