import type { Page, Redirect } from "@posthouse/protocol";
import { checkPage } from "./page-check.ts";
import type { Problem } from "./problem.ts";
import { checkRedirectWithin } from "./redirect-check.ts";
import { readRedirectsFile } from "./redirects-file.ts";
import type { Entry, RuleFileError } from "./rule-file-entry.ts";
import { readJsonEntries, readYamlEntries } from "./structured-file.ts";
import { createRowParser, type TsvReason } from "./tsv-parser.ts";

export type RuleFileFormat = "yaml" | "json" | "tsv" | "csv" | "_redirects";

export interface RuleFile {
  readonly redirects: readonly Redirect[];
  readonly pages: readonly Page[];
  /** The line of each redirect and page. */
  readonly lines: { readonly redirects: readonly number[]; readonly pages: readonly number[] };
  /** Entries that were left out. */
  readonly errors: readonly RuleFileError[];
  /** Entries that were kept. */
  readonly warnings: readonly RuleFileError[];
}

export interface ParseOptions {
  /** As a RuleSet's. */
  readonly patternSize?: number;
}

/**
 * Reads a file of rules. Entries that cannot be read, or are wrong, are left out and reported; the others are kept. Of
 * redirects with the same source, and of pages with the same path, the first is kept. Throws TSV_HEADER_INVALID and
 * RULE_FILE_INVALID when the whole file cannot be read.
 */
export function parseRules(text: string, format: RuleFileFormat, options: ParseOptions = {}): RuleFile {
  const content = text.startsWith("\uFEFF") ? text.slice(1) : text;
  if (format === "json") return collect(readJsonEntries(content), options);
  if (format === "yaml") return collect(readYamlEntries(content), options);
  if (format === "_redirects") return collect(readRedirectsFile(content), options);
  const separator = format === "tsv" ? "\t" : undefined;
  return collect(readRows(content, { ...options, separator }), options);
}

function readRows(text: string, options: Parameters<typeof createRowParser>[0]): Entry[] {
  const parser = createRowParser(options);
  return [...parser.push(text), ...parser.end()].map((row): Entry => {
    const line = row.fileLine;
    if ("redirect" in row) return { line, redirect: row.redirect };
    const { reason, message, problem } = row.error;
    if (problem !== undefined) return { line, error: withoutItem(problem) };
    const field = fieldOfReason[reason];
    return { line, error: { code: reason, message, ...(field && { field }) } };
  });
}

const fieldOfReason: Readonly<Partial<Record<TsvReason, string>>> = {
  INVALID_TYPE: "type",
  EMPTY_SOURCE: "source",
  EMPTY_TARGET: "target",
  INVALID_STATUS: "status",
  DUPLICATE_SOURCE_IN_FILE: "source",
};

function collect(entries: Iterable<Entry>, options: ParseOptions): RuleFile {
  const redirects: Redirect[] = [];
  const pages: Page[] = [];
  const lines = { redirects: [] as number[], pages: [] as number[] };
  const errors: RuleFileError[] = [];
  const warnings: RuleFileError[] = [];
  const seen = new Set<string>();

  /** Tells whether the entry is kept. */
  function check(line: number, name: string, what: string, problems: readonly Problem[]): boolean {
    const wrong = problems.filter(({ severity }) => severity === "error");
    if (wrong.length > 0) errors.push(...wrong.map((problem) => toError(line, problem)));
    else if (seen.has(name)) {
      const message = `An earlier entry has the same ${what}.`;
      errors.push({ line, code: "DUPLICATE_SOURCE_IN_FILE", field: what, message });
    } else {
      seen.add(name);
      for (const problem of problems) warnings.push(toError(line, problem));
      return true;
    }
    return false;
  }

  for (const entry of entries) {
    const { line } = entry;
    if ("error" in entry) errors.push({ line, ...entry.error });
    else if ("redirect" in entry) {
      const { redirect } = entry;
      if (
        !check(
          line,
          `redirect ${redirect.source}`,
          "source",
          checkRedirectWithin(redirect, options.patternSize),
        )
      )
        continue;
      redirects.push(redirect);
      lines.redirects.push(line);
    } else {
      const { page } = entry;
      if (!check(line, `page ${page.path}`, "path", checkPage(page))) continue;
      pages.push(page);
      lines.pages.push(line);
    }
  }
  return { redirects, pages, lines, errors, warnings };
}

function toError(line: number, problem: Problem): RuleFileError {
  return { line, ...withoutItem(problem) };
}

function withoutItem({ code, message, field, position, hint }: Problem): Omit<RuleFileError, "line"> {
  return {
    code,
    message,
    ...(field === undefined ? {} : { field }),
    ...(position === undefined ? {} : { position }),
    ...(hint === undefined ? {} : { hint }),
  };
}
