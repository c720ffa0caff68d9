import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type Item, isPosthouseError } from "@posthouse/protocol";
import { parseRules, type RuleFile, type RuleFileFormat } from "@posthouse/rules";
import { commandErrors } from "../errors.ts";
import type { Place } from "../located-yaml.ts";
import { reasonOf } from "../manager-api.ts";
import { unknownFormat } from "../unknown-format.ts";
import { type EntryPlace, locateEntries } from "./entry-places.ts";

/** A rule file as it was read. */
export interface ReadRules {
  /** Ids are positions: redirects from 1, pages after them, as an agent numbers them. */
  readonly items: readonly Item[];
  /** Entries that cannot be read at all. */
  readonly errors: RuleFile["errors"];
  /** Where a field of an item stands. Slow at the first call. */
  locate(item: number, field?: string, offset?: number): Place;
}

export interface ReadRulesOptions {
  /** By default the name of the file tells. */
  readonly format?: string | undefined;
}

const formats: Readonly<Record<string, RuleFileFormat>> = {
  yaml: "yaml" as RuleFileFormat,
  yml: "yaml" as RuleFileFormat,
  json: "json",
  tsv: "tsv",
  csv: "csv",
  _redirects: "_redirects",
  redirects: "_redirects",
};
const maxBytes = 256 * 1024 * 1024;

/** Reads a file, plain or `.gz`. Throws FILE_UNREADABLE, FORMAT_UNKNOWN, RULES_UNREADABLE. */
export async function readRuleFile(file: string, { format }: ReadRulesOptions = {}): Promise<ReadRules> {
  const known = ruleFileFormat(file, format);
  const text = await readText(file);
  let parsed: RuleFile;
  try {
    parsed = parseRules(text, known);
  } catch (cause) {
    if (!isPosthouseError(cause)) throw cause;
    const reason = cause.message.replace(/\.$/, "");
    const hint = cause.hint === undefined ? {} : { hint: cause.hint };
    throw commandErrors.create("RULES_UNREADABLE", { file, reason }, { cause, ...hint });
  }
  const items: Item[] = [
    ...parsed.redirects.map((redirect, index): Item => ({ id: index + 1, kind: "redirect", ...redirect })),
    ...parsed.pages.map(
      (page, index): Item => ({ id: parsed.redirects.length + index + 1, kind: "page", ...page }),
    ),
  ];
  let places: ((index: number) => EntryPlace | undefined) | undefined;
  return {
    items,
    errors: parsed.errors,
    locate(item, field, offset = 0) {
      places ??= locateEntries(text, known, parsed);
      return places(item - 1)?.(field, offset) ?? { line: 1, column: 1 };
    },
  };
}

/** The format of a file by its name, or by what was said about it. Throws FORMAT_UNKNOWN. */
export function ruleFileFormat(file: string, format?: string): RuleFileFormat {
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
