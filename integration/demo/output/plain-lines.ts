import { type Display, timestamp } from "./display.ts";
import type { Figures } from "./figures.ts";
import { grouped } from "./numbers.ts";

const intervalMs = 2000;

/** For files and pipes: a line for each event and one every two seconds, with nothing but text in them. */
export function createPlainLines(write: (text: string) => void): Display {
  let read: (() => Figures) | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    say: (line) => write(`${timestamp(read?.())}${line}\n`),
    start(reader) {
      read = reader;
      timer = setInterval(() => write(`${timestamp(reader())}${describe(reader())}\n`), intervalMs);
    },
    stop: () => clearInterval(timer),
  };
}

function describe(figures: Figures): string {
  const { orders, failures, loginsAccepted, tokensMinted, token, named } = figures;
  return [
    `${grouped(orders)} orders`,
    `${failures} failed`,
    `${loginsAccepted} logins`,
    `${tokensMinted} ${tokensMinted === 1 ? "token" : "tokens"}, ${token?.status ?? "none"}`,
    `${named.names} application names`,
  ].join(", ");
}
