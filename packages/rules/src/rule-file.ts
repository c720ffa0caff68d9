import { type Page, pageSchema, type Redirect, redirectSchema } from "@posthouse/protocol";
import { rulesErrors } from "./errors.ts";
import { parseRedirectsLine } from "./redirects-line.ts";
import { createRowParser, type TsvRow } from "./tsv-parser.ts";

export type RuleFileFormat = "json" | "tsv" | "csv" | "_redirects";

/** One entry that could not be read; `line` counts from 1 (in JSON, entries). */
export interface RuleFileError {
  readonly line: number;
  readonly message: string;
}

export interface RuleFile {
  readonly redirects: readonly Redirect[];
  readonly pages: readonly Page[];
  readonly errors: readonly RuleFileError[];
}

/**
 * Reads a file of rules. Entries that cannot be read are reported, and the others kept. Throws TSV_HEADER_INVALID and
 * RULE_FILE_INVALID when the whole file cannot be read. What the entries mean is checked by `checkRedirect`.
 */
export function parseRules(text: string, format: RuleFileFormat): RuleFile {
  const content = text.startsWith("\uFEFF") ? text.slice(1) : text;
  if (format === "json") return parseJson(content);
  if (format === "_redirects") return parseRedirectsFile(content);
  const parser = createRowParser({ separator: format === "tsv" ? "\t" : undefined });
  return collectRows([...parser.push(content), ...parser.end()]);
}

function collectRows(rows: readonly TsvRow[]): RuleFile {
  const redirects: Redirect[] = [];
  const errors: RuleFileError[] = [];
  for (const row of rows) {
    if ("redirect" in row) redirects.push(row.redirect);
    else errors.push({ line: row.line, message: row.error.message });
  }
  return { redirects, pages: [], errors };
}

/** `[redirect, …]` or `{"redirects": […], "pages": […]}`. */
function parseJson(text: string): RuleFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw rulesErrors.create("RULE_FILE_INVALID", { reason: (cause as Error).message }, { cause });
  }
  const whole = Array.isArray(value) ? { redirects: value } : value;
  if (typeof whole !== "object" || whole === null || !("redirects" in whole || "pages" in whole)) {
    throw rulesErrors.create("RULE_FILE_INVALID", { reason: "it holds neither redirects nor pages" });
  }
  const errors: RuleFileError[] = [];
  const redirects =
    "redirects" in whole ? readEntries<Redirect>(whole.redirects, redirectSchema, errors) : [];
  const pages = "pages" in whole ? readEntries<Page>(whole.pages, pageSchema, errors) : [];
  return { redirects, pages, errors };
}

function readEntries<Entry>(
  value: unknown,
  schema: typeof redirectSchema | typeof pageSchema,
  errors: RuleFileError[],
): Entry[] {
  if (!Array.isArray(value))
    throw rulesErrors.create("RULE_FILE_INVALID", { reason: "redirects and pages must be lists" });
  const entries: Entry[] = [];
  for (const [index, one] of value.entries()) {
    const read = schema.safeParse(one);
    if (read.success) entries.push(read.data as Entry);
    else {
      const [issue] = read.error.issues;
      errors.push({
        line: index + 1,
        message: `${issue?.path.join(".") || "entry"}: ${issue?.message ?? ""}`,
      });
    }
  }
  return entries;
}

function parseRedirectsFile(text: string): RuleFile {
  const redirects: Redirect[] = [];
  const errors: RuleFileError[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const read = parseRedirectsLine(line);
    if (typeof read === "string") errors.push({ line: index + 1, message: read });
    else if (read !== undefined) redirects.push(read);
  }
  return { redirects, pages: [], errors };
}
