import type { Figures } from "./figures.ts";
import { inSeconds } from "./numbers.ts";

/** Where the demo tells how it goes. */
export interface Display {
  /** Something has happened. */
  say(line: string): void;
  /** Shows the figures again and again from now on. */
  start(read: () => Figures): void;
  /** Shows them for the last time. Harmless when nothing was started. */
  stop(): void;
}

/** `  4.2 s  `, or room for it as long as nothing has started. */
export function timestamp(figures: Figures | undefined): string {
  return `${figures ? inSeconds(figures.elapsedSeconds * 1000) : ""}  `.padStart(9);
}
