import { type Redirect, type RedirectStatus, redirectStatuses, redirectTypes } from "@posthouse/protocol";
import { rulesErrors } from "./errors.ts";
import type { Problem } from "./problem.ts";
import { checkRedirectWithin } from "./redirect-check.ts";
import { createRecordReader, type RecordReader, type Row } from "./tsv-record.ts";

export type TsvReason =
  | "INVALID_FORMAT"
  | "INVALID_TYPE"
  | "EMPTY_SOURCE"
  | "EMPTY_TARGET"
  | "INVALID_STATUS"
  | "DUPLICATE_SOURCE_IN_FILE"
  | "INVALID_REDIRECT";

export interface TsvRowError {
  readonly reason: TsvReason;
  readonly message: string;
  readonly source?: string;
  readonly target?: string;
  /** With INVALID_REDIRECT: what is wrong with it. */
  readonly problem?: Problem;
}

/**
 * `line` counts records as Flecto does: the header is 1, blank lines are not counted. `fileLine` counts lines.
 * `warnings` are there only when there are some.
 */
export type TsvRow = { readonly line: number; readonly fileLine: number } & (
  | { readonly redirect: Redirect; readonly warnings?: readonly Problem[] }
  | { readonly error: TsvRowError }
);

/** Reads text in pieces of any size. Both throw TSV_HEADER_INVALID. */
export interface TsvParser {
  push(text: string): TsvRow[];
  end(): TsvRow[];
}

const columns = ["type", "source", "target", "status"];
const longestHeader = 4096;

/** Reads Flecto's tab-separated redirects. A byte order mark is passed over. */
export function createTsvParser(): TsvParser {
  return createRowParser({ separator: "\t" });
}

/**
 * Reads redirects as rows of type, source, target, status. `separator` is one character; without it the header tells:
 * tab, semicolon or comma. A byte order mark is passed over. Quotes are those of RFC 4180, read as Flecto's Manager does.
 */
export function createRowParser(
  options: { readonly separator?: string | undefined; readonly patternSize?: number } = {},
): TsvParser {
  const seen = new Set<string>();
  let head = "";
  let reader: RecordReader | undefined;
  let line = 0;

  function readRecords(records: readonly Row[]): TsvRow[] {
    const rows: TsvRow[] = [];
    for (const { cells, fileLine } of records) {
      line += 1;
      if (line === 1) checkHeader(cells);
      else rows.push({ line, fileLine, ...readRow(cells, seen, options) });
    }
    return rows;
  }

  /** Nothing is read before the whole first line is there. */
  function start(isEnd: boolean): TsvRow[] {
    if (!isEnd && !/[^\uFEFF\r\n][^\n]*\n/.test(head) && head.length < longestHeader) return [];
    reader = createRecordReader(options.separator ?? findSeparator(head));
    const text = head.replace(/^\uFEFF/, "");
    head = "";
    return readRecords(reader.push(text));
  }

  return {
    push(text) {
      if (reader !== undefined) return readRecords(reader.push(text));
      head += text;
      return start(false);
    },
    end() {
      const rows = reader === undefined ? start(true) : [];
      rows.push(...readRecords(reader?.end() ?? []));
      if (line === 0) checkHeader([]);
      return rows;
    },
  };
}

/** No column's name holds a separator, so the first one in the header is it. */
function findSeparator(text: string): string {
  return /[^\r\n]*?([\t;,])/.exec(text)?.[1] ?? "\t";
}

function checkHeader(record: readonly string[]): void {
  const found = record.map((cell) => trim(cell).toLowerCase());
  if (found.length === columns.length && columns.every((column, index) => found[index] === column)) return;
  throw rulesErrors.create("TSV_HEADER_INVALID", { found: record.join(" | ").slice(0, 80) });
}

function readRow(
  record: readonly string[],
  seen: Set<string>,
  options: { readonly patternSize?: number },
): { redirect: Redirect; warnings?: readonly Problem[] } | { error: TsvRowError } {
  const [type = "", source = "", target = "", status = ""] = record.map(trim);
  const fail = (reason: TsvReason, message: string): { error: TsvRowError } => ({
    error: { reason, message, ...(source === "" ? {} : { source }), ...(target === "" ? {} : { target }) },
  });
  if (record.length !== columns.length) {
    return { error: { reason: "INVALID_FORMAT", message: `The row has ${record.length} cells, not 4.` } };
  }
  const knownType = redirectTypes.find((known) => known === type.toUpperCase());
  if (knownType === undefined) return fail("INVALID_TYPE", `The type ${type} is not known.`);
  if (source === "") return fail("EMPTY_SOURCE", "The source is empty.");
  if (target === "") return fail("EMPTY_TARGET", "The target is empty.");
  const knownStatus = readStatus(status);
  if (knownStatus === undefined) return fail("INVALID_STATUS", `The status ${status} is not known.`);
  if (seen.has(source)) return fail("DUPLICATE_SOURCE_IN_FILE", "An earlier row has the same source.");
  seen.add(source);
  const redirect: Redirect = { type: knownType, source, target, status: knownStatus };
  const problems = checkRedirectWithin(redirect, options.patternSize);
  if (problems.length === 0) return { redirect };
  const wrong = problems.find(({ severity }) => severity === "error");
  if (wrong === undefined) return { redirect, warnings: problems };
  const { error } = fail("INVALID_REDIRECT", wrong.message);
  return { error: { ...error, problem: wrong } };
}

const statuses = new Map<string, RedirectStatus>();
for (const [name, code] of Object.entries(redirectStatuses)) {
  statuses.set(name, name as RedirectStatus);
  statuses.set(String(code), name as RedirectStatus);
}

/** A status by its name or number. */
export function readStatus(text: string): RedirectStatus | undefined {
  return statuses.get(text) ?? statuses.get(text.toUpperCase());
}

const blank = "[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const blanksAround = new RegExp(`^${blank}+|${blank}+$`, "g");

function trim(cell: string): string {
  return /^[!-~]([ -~]*[!-~])?$/.test(cell) ? cell : cell.replace(blanksAround, "");
}
