import { type Page, pageSchema, type Redirect, redirectSchema } from "@posthouse/protocol";
import { isMap, isNode, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { rulesErrors } from "./errors.ts";
import { findEntryLines, findFaultLine } from "./json-lines.ts";
import type { Entry } from "./rule-file-entry.ts";
import { readStatus } from "./tsv-parser.ts";

type ListName = "redirects" | "pages";
const listNames: readonly ListName[] = ["redirects", "pages"];

/** `[redirect, …]` or `{"redirects": […], "pages": […]}`. */
export function readJsonEntries(text: string): Entry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid((cause as Error).message, findFaultLine(text));
  }
  const lists = listsOf(value);
  let lines: ReturnType<typeof findEntryLines> | undefined;
  return lists.flatMap(({ name, entries }) =>
    entries.flatMap((entry, index) => {
      lines ??= findEntryLines(text);
      return readEntry(name, entry, () => lines?.[name][index] ?? 1);
    }),
  );
}

/** The same in YAML. */
export function readYamlEntries(text: string): Entry[] {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const lineOf = (offset: number): number => lineCounter.linePos(offset).line;
  const [fault] = document.errors;
  if (fault !== undefined) throw invalid(fault.message, lineOf(fault.pos[0]));
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    throw rulesErrors.create("RULE_FILE_INVALID", { reason: (cause as Error).message }, { cause });
  }
  return listsOf(value).flatMap(({ name, entries }) => {
    const root = document.contents;
    const list = isMap(root) ? root.get(name, true) : root;
    return entries.flatMap((entry, index) => {
      const node = isSeq(list) ? list.items[index] : undefined;
      return readEntry(name, entry, (field) => lineOf(startOf(isNode(node) ? node : undefined, field)));
    });
  });
}

function startOf(node: Node | undefined, field: string | undefined): number {
  if (field !== undefined && isMap(node)) {
    const value = node.get(field, true);
    if (isNode(value) && value.range) return value.range[0];
  }
  return node?.range?.[0] ?? 0;
}

function listsOf(value: unknown): { name: ListName; entries: readonly unknown[] }[] {
  const whole = Array.isArray(value) ? { redirects: value } : value;
  if (typeof whole !== "object" || whole === null || !("redirects" in whole || "pages" in whole)) {
    throw invalid("it holds neither redirects nor pages");
  }
  const unknown = Object.keys(whole).find((key) => !listNames.includes(key as ListName));
  if (unknown !== undefined) throw invalid(`it may hold redirects and pages, not ${unknown}`);
  return listNames.flatMap((name) => {
    const entries = (whole as Partial<Record<ListName, unknown>>)[name] ?? [];
    if (!Array.isArray(entries)) throw invalid("redirects and pages must be lists");
    return [{ name, entries }];
  });
}

/** The entry, or everything that keeps it from being one. */
function readEntry(list: ListName, value: unknown, lineOf: (field?: string) => number): Entry[] {
  const read = (list === "redirects" ? redirectSchema : pageSchema).safeParse(withStatusName(value));
  if (read.success) {
    return [
      list === "redirects"
        ? { line: lineOf(), redirect: read.data as Redirect }
        : { line: lineOf(), page: read.data as Page },
    ];
  }
  return read.error.issues.flatMap((issue): Entry[] => {
    const toEntry = (message: string, field?: string): Entry => ({
      line: lineOf(field),
      error: { code: "ENTRY_INVALID", message, ...(field && { field }) },
    });
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => toEntry(`${key}: there is no such key`, key));
    const [field] = issue.path;
    if (typeof field !== "string") return [toEntry(`entry: ${issue.message}`)];
    const isMissing = typeof value !== "object" || value === null || !(field in value);
    return [isMissing ? toEntry(`${field}: is missing`) : toEntry(`${field}: ${issue.message}`, field)];
  });
}

/** People write 301 as readily as MOVED_PERMANENT. */
function withStatusName(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("status" in value)) return value;
  const status = readStatus(String(value.status));
  return status === undefined ? value : { ...value, status };
}

function invalid(reason: string, line?: number): Error {
  return rulesErrors.create("RULE_FILE_INVALID", {
    reason: line === undefined ? reason : `line ${line}: ${reason}`,
  });
}
