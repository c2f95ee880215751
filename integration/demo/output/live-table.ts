import { createLogUpdate } from "log-update";
import type picocolors from "picocolors";
import { type Display, timestamp } from "./display.ts";
import type { Figures } from "./figures.ts";
import { grouped } from "./numbers.ts";

const intervalMs = 200;
const width = 76;

type Colors = ReturnType<typeof picocolors.createColors>;

/** For a terminal: one table that is drawn anew five times a second, and the events above it. */
export function createLiveTable(stream: NodeJS.WriteStream, colors: Colors, seconds: number): Display {
  const update = createLogUpdate(stream);
  const orders = new Rate();
  const logins = new Rate();
  let read: (() => Figures) | undefined;
  let timer: NodeJS.Timeout | undefined;

  const draw = () => {
    if (!read) return;
    const figures = read();
    const rates = {
      orders: orders.add(figures.orders, figures.elapsedSeconds),
      logins: logins.add(figures.loginsAccepted, figures.elapsedSeconds),
    };
    update(`\n${table(figures, rates, seconds, colors).join("\n")}\n`);
  };

  return {
    say(line) {
      update.persist(`${colors.dim(timestamp(read?.()))}${line}`);
      draw();
    },
    start(reader) {
      read = reader;
      draw();
      timer = setInterval(draw, intervalMs);
    },
    stop() {
      clearInterval(timer);
      draw();
      read = undefined;
      update.done();
    },
  };
}

function table(figures: Figures, rates: { orders: number; logins: number }, seconds: number, colors: Colors): string[] {
  const { token, named } = figures;
  const good = (text: string, isGood: boolean) => (isGood ? colors.green(text) : colors.red(colors.bold(text)));
  const row = (name: string, figure: string, note: string, paint: (text: string) => string = colors.bold) =>
    `  ${name.padEnd(18)}${paint(figure.padStart(16))}   ${colors.dim(note)}`;
  const title = "Orders by acme, on a local Lakebase";
  const time = `${Math.min(figures.elapsedSeconds, seconds).toFixed(1)} of ${seconds} s`;
  return [
    `  ${colors.bold(title)}${time.padStart(width - title.length)}`,
    `  ${colors.dim("─".repeat(width))}`,
    row("orders", grouped(figures.orders), `${grouped(rates.orders)} a second`),
    ...inThrees(figures.ordersBy).map((pair) => `  ${colors.dim(pair)}`),
    row("failed", grouped(figures.failures), figures.booksBalance ? "books balance" : "books do NOT balance", (text) =>
      good(text, figures.failures === 0 && figures.booksBalance),
    ),
    row("new logins", grouped(figures.loginsAccepted), `${rates.logins} a second, ${figures.loginsRefused} refused`),
    row("tokens minted", grouped(figures.tokensMinted), token ? `newest: ${token.id}` : ""),
    row("token", token?.status ?? "none", token ? `${token.remainingSeconds.toFixed(1)} s left` : "", (text) =>
      token?.status === "ready" ? colors.green(text) : colors.yellow(text),
    ),
    row("application names", `${named.names}`, `seen by the server in ${named.right} of ${named.all} logins`, (text) =>
      good(text, named.right === named.all),
    ),
  ];
}

/** Who has taken how many, three to a line. */
function inThrees(ordersBy: Figures["ordersBy"]): string[] {
  const cells = ordersBy.map(({ adapter, orders }) => `${adapter.padEnd(13)}${grouped(orders).padStart(8)}`);
  return [cells.slice(0, 3), cells.slice(3)].filter((line) => line.length > 0).map((line) => `  ${line.join("    ")}`);
}

/** Growth in the last second or so. */
class Rate {
  #samples: { count: number; at: number }[] = [];

  add(count: number, atSeconds: number): number {
    this.#samples.push({ count, at: atSeconds });
    this.#samples = this.#samples.filter(({ at }) => at >= atSeconds - 1);
    const [first] = this.#samples;
    if (!first || first.at === atSeconds) return 0;
    return Math.round((count - first.count) / (atSeconds - first.at));
  }
}
