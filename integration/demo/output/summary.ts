import type picocolors from "picocolors";
import type { Check, Section } from "../record/checks.ts";

const noteWidth = 44;
const failuresShown = 10;

type Colors = ReturnType<typeof picocolors.createColors>;

/** The summary, and what failed, as text of at most 80 columns but for the words of an error. */
export function formatSummary(sections: Section[], failures: string[], colors: Colors): string {
  const paragraphs = sections.map(
    ({ title, checks }) => `${colors.bold(title)}\n${checks.map((check) => formatCheck(check, colors)).join("")}`,
  );
  if (failures.length > 0) {
    const shown = failures.slice(0, failuresShown).map((failure) => `  ${failure}\n`);
    paragraphs.push(`${colors.bold(`What failed first, of ${failures.length}`)}\n${shown.join("")}`);
  }
  return `\n${[...paragraphs, formatVerdict(sections, colors)].join("\n")}`;
}

function formatVerdict(sections: Section[], colors: Colors): string {
  const results = sections.flatMap(({ checks }) => checks.map(({ met }) => met)).filter((met) => met !== undefined);
  const missed = results.filter((met) => !met).length;
  return missed === 0
    ? `${colors.green(`All ${results.length} checks are met.`)}\n`
    : `${colors.red(`${missed} of ${results.length} checks are not met.`)}\n`;
}

function formatCheck({ met, what, figure, note }: Check, colors: Colors): string {
  const mark = met === undefined ? colors.dim("·") : met ? colors.green("✔") : colors.red("✘");
  const [first = "", ...rest] = wrap(note);
  const indent = " ".repeat(35);
  const paint = met === false ? (text: string) => colors.red(colors.bold(text)) : colors.bold;
  return [
    `  ${mark} ${what.padEnd(21)}${paint(figure.padStart(8))}  ${colors.dim(first)}\n`,
    ...rest.map((line) => `${indent}${colors.dim(line)}\n`),
  ].join("");
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= noteWidth) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
