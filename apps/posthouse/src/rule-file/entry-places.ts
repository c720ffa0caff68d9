import { createTsvParser, type RuleFile, type RuleFileFormat } from "@posthouse/rules";
import { type Path, type Place, readLocatedYaml } from "../located-yaml.ts";

/** Where the fields of a rule stand in its file; `offset` is a position within the field's text. */
export type EntryPlace = (field: string | undefined, offset: number) => Place;

/** Finds the entries of a file again, in the order of `file`: redirects, then pages. For reports, not for serving. */
export function locateEntries(
  text: string,
  format: RuleFileFormat,
  file: RuleFile,
): (index: number) => EntryPlace | undefined {
  const places = [...(isTree(format) ? locateInTree(text, file) : locateInLines(text, format, file))];
  return (index) => places[index];
}

const isTree = (format: string): boolean => format === "json" || format === "yaml";

/** Entries that could not be read are not in `file`: an entry is known again by its source or path. */
function* locateInTree(text: string, { redirects, pages }: RuleFile): Generator<EntryPlace | undefined> {
  const read = readLocatedYaml(text);
  const [document] = "documents" in read ? read.documents : [];
  if (document === undefined) return;
  const lists = [
    ["redirects", redirects.map(({ source }) => source)],
    ["pages", pages.map(({ path }) => path)],
  ] as const;
  for (const [name, keys] of lists) {
    const root = document.value as Readonly<Record<string, unknown>> | readonly unknown[];
    const isBare = Array.isArray(root) && name === "redirects";
    const list = isBare ? root : (root as Readonly<Record<string, unknown>>)[name];
    const entries: readonly unknown[] = Array.isArray(list) ? list : [];
    let at = 0;
    for (const key of keys) {
      while (at < entries.length && keyOf(entries[at]) !== key) at += 1;
      const path: Path = isBare ? [at] : [name, at];
      yield (field, offset) => {
        const place = document.locate(field === undefined ? path : [...path, field]);
        return { line: place.line, column: place.column + offset };
      };
      at += 1;
    }
  }
}

function keyOf(entry: unknown): unknown {
  const { source, path } = Object(entry) as { source?: unknown; path?: unknown };
  return source ?? path;
}

function* locateInLines(
  text: string,
  format: RuleFileFormat,
  { redirects, errors }: RuleFile,
): Generator<EntryPlace | undefined> {
  const lines = text.split("\n");
  const starts = format === "_redirects" ? wordLines(lines, errors) : [...rowLines(lines, format)];
  for (const [index, redirect] of redirects.entries()) {
    const line = starts[index];
    if (line === undefined) yield undefined;
    else yield (field, offset) => placeInLine(lines[line - 1] ?? "", line, { ...redirect }, field, offset);
  }
}

/** Lines of a `_redirects` file that hold an entry which could be read. */
function wordLines(lines: readonly string[], errors: RuleFile["errors"]): number[] {
  const bad = new Set(errors.map(({ line }) => line));
  return lines.flatMap((text, index) =>
    /^\s*(#|$)/.test(text.replace(/^\uFEFF/, "")) || bad.has(index + 1) ? [] : [index + 1],
  );
}

/** The lines on which the good rows of a table begin: rows may span lines, and blank ones are none. */
function* rowLines(lines: readonly string[], format: RuleFileFormat): Generator<number> {
  const [header = ""] = lines;
  const separator = format === "tsv" ? "\t" : header.includes(";") ? ";" : ",";
  const parser = createTsvParser({ separator });
  let start = 0;
  for (const [index, line] of lines.entries()) {
    if (start === 0 && line.trim() !== "") start = index + 1;
    const last = index === lines.length - 1;
    const rows = last ? [...parser.push(line), ...parser.end()] : parser.push(`${line}\n`);
    for (const row of rows) if ("redirect" in row) yield start;
    if (rows.length > 0 || index === 0) start = 0;
  }
}

const columns = ["type", "source", "target", "status"];

/** The first place of the field's text behind the fields before it; the line's start where it is written otherwise. */
function placeInLine(
  text: string,
  line: number,
  redirect: Readonly<Record<string, string>>,
  field: string | undefined,
  offset: number,
): Place {
  const isTable = text
    .toUpperCase()
    .trimStart()
    .replace(/^"/, "")
    .startsWith(redirect.type ?? "?");
  let from = 0;
  for (const column of isTable ? columns : ["source", "target"]) {
    const value = redirect[column] ?? "";
    const found = column === "type" ? 0 : text.indexOf(value, from);
    if (column === field) return { line, column: found < 0 ? from + 1 : found + offset + 1 };
    if (found >= 0) from = found + value.length;
    else from = Math.max(from, text.trimEnd().search(/\s\S+$/) + 1);
  }
  return { line, column: 1 };
}
