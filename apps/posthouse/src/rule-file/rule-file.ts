import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type Item, isPosthouseError } from "@posthouse/protocol";
import { parseRules, type RuleFile, type RuleFileFormat } from "@posthouse/rules";
import { commandErrors } from "../errors.ts";
import { reasonOf } from "../manager-api.ts";
import { unknownFormat } from "../unknown-format.ts";

/** A rule file as it was read. */
export interface ReadRules extends RuleFile {
  readonly text: string;
  readonly format: RuleFileFormat;
  /** Ids are positions: redirects from 1, pages after them, as an agent numbers them. */
  readonly items: readonly Item[];
  /** The line of an item. */
  lineOf(item: number): number | undefined;
}

export interface ReadRulesOptions {
  /** By default the file's name tells. */
  readonly format?: string | undefined;
  /** Largest program of a pattern, as a RuleSet's. */
  readonly patternSize?: number | undefined;
}

const formats: Readonly<Record<string, RuleFileFormat>> = {
  yaml: "yaml",
  yml: "yaml",
  json: "json",
  tsv: "tsv",
  csv: "csv",
  _redirects: "_redirects",
  redirects: "_redirects",
};
const maxBytes = 256 * 1024 * 1024;

/** Reads a file, plain or `.gz`. Throws FILE_UNREADABLE, FORMAT_UNKNOWN, RULES_UNREADABLE. */
export async function readRuleFile(file: string, options: ReadRulesOptions = {}): Promise<ReadRules> {
  const known = ruleFileFormat(file, options.format);
  const text = await readText(file);
  const parsed = parse(file, text, known, options.patternSize);
  const items = [
    ...parsed.redirects.map((redirect, index): Item => ({ id: index + 1, kind: "redirect", ...redirect })),
    ...parsed.pages.map(
      (page, index): Item => ({ id: parsed.redirects.length + index + 1, kind: "page", ...page }),
    ),
  ];
  const lines = [...parsed.lines.redirects, ...parsed.lines.pages];
  return { ...parsed, text, format: known, items, lineOf: (item) => lines[item - 1] };
}

function parse(
  file: string,
  text: string,
  format: RuleFileFormat,
  patternSize: number | undefined,
): RuleFile {
  try {
    return parseRules(text, format, patternSize === undefined ? {} : { patternSize });
  } catch (cause) {
    if (!isPosthouseError(cause)) throw cause;
    const reason = cause.message.replace(/\.$/, "");
    const hint = cause.hint === undefined ? {} : { hint: cause.hint };
    throw commandErrors.create("RULES_UNREADABLE", { file, reason }, { cause, ...hint });
  }
}

function ruleFileFormat(file: string, format: string | undefined): RuleFileFormat {
  const name = basename(file).replace(/\.gz$/i, "");
  const said = format ?? (name === "_redirects" ? name : extname(name).slice(1).toLowerCase());
  const known = Object.hasOwn(formats, said) ? formats[said] : undefined;
  if (known !== undefined) return known;
  const names = ["yaml", "json", "tsv", "csv", "_redirects"];
  if (format !== undefined) throw unknownFormat(format, names);
  const hint = `Say it with --format: ${names.join(", ")}.`;
  throw commandErrors.create("RULES_UNREADABLE", { file, reason: "its name tells no format" }, { hint });
}

async function readText(file: string): Promise<string> {
  try {
    const bytes = await readFile(file);
    const plain = /\.gz$/i.test(file) ? await promisify(gunzip)(bytes, { maxOutputLength: maxBytes }) : bytes;
    return plain.toString("utf8");
  } catch (cause) {
    throw commandErrors.create("FILE_UNREADABLE", { file, reason: reasonOf(cause) }, { cause });
  }
}
