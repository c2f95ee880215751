import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./toolbox.mjs";

/**
 * What a run of the contract has shown.
 *
 * @typedef {{ name: string, versions: Record<string, string> }} Member
 * @typedef {{ result: "passed" | "failed" | "lacks", reason?: string }} Cell `reason`: why the host lacks it
 * @typedef {{ section: string, line: string, cells: Record<string, Cell> }} Line
 * @typedef {{ members: Member[], lines: Line[] }} Contract
 */

const marks = { passed: "✓", failed: "✗", lacks: "–" };

/**
 * Reads a report of vitest for adapter × line × versions.
 *
 * @param {string} file
 * @returns {Contract}
 */
export function readContract(file) {
  const { testResults } = JSON.parse(readFileSync(file, "utf8"));
  const tests = testResults
    .filter(({ name }) => name.replaceAll("\\", "/").includes("contract/adapters/"))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap(({ assertionResults }) => assertionResults);
  const members = new Map();
  const lines = new Map();
  for (const { ancestorTitles, title, status, meta = {} } of tests) {
    const [name, section = ""] = ancestorTitles;
    if (!members.has(name)) members.set(name, { name, versions: {} });
    if (meta.versions) Object.assign(members.get(name).versions, meta.versions);
    const key = `${section}\n${title}`;
    if (!lines.has(key)) lines.set(key, { section, line: title, cells: {} });
    const result = status === "passed" ? "passed" : meta.lacks ? "lacks" : "failed";
    lines.get(key).cells[name] = { result, ...(meta.lacks ? { reason: meta.lacks } : {}) };
  }
  return { members: [...members.values()], lines: [...lines.values()] };
}

/**
 * The table for a terminal: a row a line, a column a member.
 *
 * @param {Contract} contract
 */
export function formatTable({ members, lines }) {
  const width = Math.max(...lines.map(({ line }) => line.length)) + 2;
  const header = members.map((_, index) => String(index + 1).padStart(3)).join("");
  const rows = bySection(lines).flatMap(([section, ofSection]) => [
    section,
    ...ofSection.map(
      ({ line, cells }) =>
        `  ${line.padEnd(width)}${members.map(({ name }) => marks[cells[name]?.result ?? "failed"].padStart(3)).join("")}`,
    ),
  ]);
  const legend = members.map(
    (member, index) => `${String(index + 1).padStart(3)}  ${member.name}: ${versionsOf(member)}`,
  );
  return [
    "The contract, line by line",
    ...legend,
    "",
    " ".repeat(width + 2) + header,
    ...rows,
    "",
    ...gaps(lines),
  ].join("\n");
}

/**
 * The members alone, with their versions, for a run whose lines are those of the table.
 *
 * @param {Contract} contract
 */
export function formatMembers({ members, lines }) {
  return members
    .map((member) => {
      const results = lines.map(({ cells }) => cells[member.name]?.result);
      const count = (result) => results.filter((one) => one === result).length;
      return `  ${member.name}: ${versionsOf(member)}; ${count("passed")} lines passed, ${count("failed")} failed`;
    })
    .join("\n");
}

/**
 * The same for the documentation.
 *
 * @param {Contract} contract
 */
export function formatMarkdown({ members, lines }) {
  const table = bySection(lines).flatMap(([section, ofSection]) => [
    "",
    `## ${section[0]?.toUpperCase()}${section.slice(1)}`,
    "",
    `| Line | ${members.map(({ name }) => name).join(" | ")} |`,
    `| --- | ${members.map(() => ":-:").join(" | ")} |`,
    ...ofSection.map(
      ({ line, cells }) =>
        `| ${escaped(line)} | ${members.map(({ name }) => marks[cells[name]?.result ?? "failed"]).join(" | ")} |`,
    ),
  ]);
  return [
    "# The contract, line by line",
    "",
    "Written by `npm test` from its own results; do not edit. ✓ passed, – the host has no word for it.",
    "",
    "| Member | Versions |",
    "| --- | --- |",
    ...members.map((member) => `| ${member.name} | ${versionsOf(member)} |`),
    ...table,
    "",
    "## What a host lacks",
    "",
    ...gaps(lines).map((gap) => `- ${escaped(gap)}`),
    "",
  ].join("\n");
}

const page = join(repository, "docs/adapters/contract.md");

/**
 * Compares the page of the documentation with what was measured, and writes it anew where it is not the same.
 *
 * @param {Contract} contract
 * @returns {{ code: number, output: string }} as of a program: 0 when the page was right
 */
export function updatePage(contract) {
  const text = formatMarkdown(contract);
  if (existsSync(page) && readFileSync(page, "utf8") === text) return { code: 0, output: "" };
  writeFileSync(page, text);
  return {
    code: 1,
    output: "docs/adapters/contract.md was out of date. It has been written anew: look at it and commit it.",
  };
}

/** @param {Line[]} lines */
function bySection(lines) {
  const sections = [...new Set(lines.map(({ section }) => section))];
  return sections.map((section) => /** @type {const} */ ([section, lines.filter((line) => line.section === section)]));
}

/** @param {Member} member */
function versionsOf({ versions }) {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}

/** @param {Line[]} lines */
function gaps(lines) {
  const found = new Set(
    lines.flatMap(({ cells }) =>
      Object.entries(cells).flatMap(([name, { reason }]) => (reason === undefined ? [] : [`${name}: ${reason}`])),
    ),
  );
  return [...found].sort();
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[|<>*_]/g, "\\$&");
}
