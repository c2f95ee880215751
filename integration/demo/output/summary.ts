import type picocolors from "picocolors";
import type { Check } from "../record/checks.ts";

const noteWidth = 44;

export interface Section {
  title: string;
  checks: Check[];
}

/** The summary as text of at most 80 columns. */
export function formatSummary(sections: Section[], colors: ReturnType<typeof picocolors.createColors>): string {
  return sections
    .map(
      ({ title, checks }) => `\n${colors.bold(title)}\n${checks.map((check) => formatCheck(check, colors)).join("")}`,
    )
    .join("");
}

function formatCheck({ met, what, figure, note }: Check, colors: ReturnType<typeof picocolors.createColors>): string {
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
