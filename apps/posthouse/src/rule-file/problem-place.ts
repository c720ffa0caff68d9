import type { RuleFileError, RuleFileFormat } from "@posthouse/rules";

/** Counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

type Problem = Pick<RuleFileError, "line" | "field" | "position">;

/**
 * Finds the column of a problem in its file. The line is known, and may be corrected where an entry spans lines. Where
 * the field is not found (it is missing, or entries share a line) the place is the line's start.
 */
export function createPlaceFinder(text: string, format: RuleFileFormat): (problem: Problem) => Place {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  const find = format === "_redirects" ? findWord : isTable(format) ? findCell : findKey;
  return (problem) => {
    const { line, field, position = 0 } = problem;
    const start = { line, column: 1 };
    if (field === undefined) return start;
    const found = find(lines, line - 1, field);
    if (found === undefined) return start;
    return { line: found.line, column: found.column + (found.isLiteral ? position : 0) };
  };
}

const isTable = (format: RuleFileFormat): boolean => format === "tsv" || format === "csv";

/** `isLiteral`: the field's text stands there as it is, so that a position in it can be added. */
type Found = Place & { readonly isLiteral: boolean };

/** A `_redirects` line has source and target as words; patterns are made of them. */
function findWord(lines: readonly string[], index: number, field: string): Found | undefined {
  const words = [...(lines[index] ?? "").matchAll(/\S+/g)];
  const word = words[["source", "target", "status"].indexOf(field)];
  if (word === undefined) return undefined;
  return { line: index + 1, column: word.index + 1, isLiteral: !/[*:]/.test(word[0]) };
}

const columns = ["type", "source", "target", "status"];

/** A row's cell; quoted ones may span lines. */
function findCell(lines: readonly string[], index: number, field: string): Found | undefined {
  const separator = /[\t;,]/.exec(lines.find((line) => line.trim() !== "") ?? "")?.[0] ?? "\t";
  let line = index;
  let at = 0;
  for (const column of columns) {
    const text = lines[line] ?? "";
    const isQuoted = text[at] === '"';
    if (column === field) {
      const blanks = /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
      return { line: line + 1, column: at + (isQuoted ? 2 : blanks + 1), isLiteral: true };
    }
    if (isQuoted) [line, at] = endOfQuotes(lines, line, at + 1);
    const next = (lines[line] ?? "").indexOf(separator, at);
    if (next < 0) return undefined;
    at = next + 1;
  }
  return undefined;
}

function endOfQuotes(lines: readonly string[], from: number, start: number): [line: number, at: number] {
  let at = start;
  for (let line = from; line < lines.length; line++) {
    const text = lines[line] ?? "";
    // Two quotes are one, inside.
    const rest = text.slice(at).replaceAll('""', "__");
    const found = rest.indexOf('"');
    if (found >= 0) return [line, at + found + 1];
    at = 0;
  }
  return [lines.length, 0];
}

const longestEntry = 20;

/** The value of a key of YAML or JSON; of the first such key from the entry's line on. */
function findKey(lines: readonly string[], index: number, field: string): Found | undefined {
  const key = new RegExp(`(?:^|[\\s{,])["']?${field}["']?\\s*:\\s*(["']?)`, "g");
  for (const [more, text] of lines.slice(index, index + longestEntry).entries()) {
    const [first, second] = text.matchAll(key);
    if (first === undefined) continue;
    if (second !== undefined) return undefined;
    const column = first.index + first[0].length + 1;
    return { line: index + more + 1, column, isLiteral: !text.slice(column - 1).includes("\\") };
  }
  return undefined;
}
