import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** How Chrome and Chromium are called where they are installed; the same as in `workshop/programs.mjs`, which installs one. */
const programs = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const macPrograms = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** The first browser on PATH (or where macOS keeps them) that playwright-core can drive. */
export function findChromium({ PATH = "" } = process.env): string | undefined {
  const onPath = PATH.split(delimiter).flatMap((folder) => programs.map((name) => join(folder, name)));
  return [...onPath, ...macPrograms].find(isExecutable);
}

/** A browser that is there already: nothing is downloaded. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    // Chromium's own sandbox does not start for root. /dev/shm is small in containers.
    args: [...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), "--disable-dev-shm-usage"],
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
