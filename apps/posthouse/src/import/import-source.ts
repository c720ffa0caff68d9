import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { formatTsvRow, tsvHeader } from "@posthouse/rules";
import { commandErrors } from "../errors.ts";
import { reasonOf } from "../manager-api.ts";
import { readRuleFile } from "../rule-file/rule-file.ts";
import { unknownFormat } from "../unknown-format.ts";

/** A list on its way to a Manager. */
export interface ImportSource {
  readonly body: Readable;
  readonly bytes: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Entries that could not be put into a row at all. */
  readonly unread: readonly { readonly line: number; readonly message: string; readonly code: string }[];
  /** The line of the file on which a row of what is sent stands. */
  lineOf(row: number): number;
}

/** The formats, and the content type by which the Manager knows what it gets. */
export const importFormats: Readonly<Record<string, string>> = {
  tsv: "text/tab-separated-values",
  csv: "text/csv",
  _redirects: "text/tab-separated-values",
};

/** Opens a file, plain or `.gz`. Throws FORMAT_UNKNOWN, FILE_UNREADABLE, RULES_UNREADABLE. */
export async function openImport(format: string, file: string): Promise<ImportSource> {
  const name = format === "redirects" ? "_redirects" : format;
  const contentType = Object.hasOwn(importFormats, name) ? importFormats[name] : undefined;
  if (contentType === undefined) throw unknownFormat(format, Object.keys(importFormats));
  const headers = { "content-type": contentType };
  if (name === "_redirects") return openRedirects(file, headers);
  const bytes = await sizeOf(file);
  const isPacked = /\.gz$/i.test(file);
  return {
    body: createReadStream(file),
    bytes,
    headers: isPacked ? { ...headers, "content-encoding": "gzip" } : headers,
    unread: [],
    lineOf: (row) => row,
  };
}

/** A `_redirects` file is read here and sent as a table: the Manager's own format has a row per rule. */
async function openRedirects(file: string, headers: Readonly<Record<string, string>>): Promise<ImportSource> {
  await sizeOf(file);
  const { redirects, errors, lines } = await readRuleFile(file, { format: "_redirects" });
  const text = tsvHeader + redirects.map(formatTsvRow).join("");
  return {
    body: Readable.from([Buffer.from(text)]),
    bytes: Buffer.byteLength(text),
    headers,
    unread: errors,
    // The header is row 1.
    lineOf: (row) => lines.redirects[row - 2] ?? row,
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    const stats = await stat(file);
    if (!stats.isFile()) throw new Error("not a file");
    return stats.size;
  } catch (error) {
    throw commandErrors.create("FILE_UNREADABLE", { file, reason: reasonOf(error) }, { cause: error });
  }
}
