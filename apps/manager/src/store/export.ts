import { createGunzip } from "node:zlib";
import type { Redirect, RedirectStatus, RedirectType } from "@posthouse/protocol";
import type { Snapshot } from "./snapshot.ts";

export type ExportFormat = "tsv" | "csv" | "json";

export interface ExportFilter {
  readonly types?: readonly RedirectType[] | undefined;
  readonly statuses?: readonly RedirectStatus[] | undefined;
  /** In source or target, in any case. */
  readonly search?: string | undefined;
}

/**
 * The published redirects of one version, as a file that can be imported again, in pieces of a few kilobytes. They are
 * read from the project's snapshot file, so that neither the database nor a publish has to wait for a slow reader.
 */
export async function* exportRedirects(
  snapshot: Snapshot,
  format: ExportFormat,
  filter: ExportFilter,
): AsyncGenerator<string> {
  const isWanted = createFilter(filter);
  const write = writers[format];
  let count = 0;
  yield write.head;
  for await (const lines of readLines(snapshot)) {
    let text = "";
    for (const line of lines) {
      const redirect = readRedirect(line);
      if (redirect === undefined || !isWanted(redirect)) continue;
      text += write.row(redirect, count === 0);
      count += 1;
    }
    if (text !== "") yield text;
  }
  yield write.foot;
}

async function* readLines({ stream }: Snapshot): AsyncGenerator<readonly string[]> {
  const plain = createGunzip();
  stream.on("error", (error) => plain.destroy(error));
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const bytes of stream.pipe(plain)) {
      const lines = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield lines;
    }
  } finally {
    stream.destroy();
    plain.destroy();
  }
}

/** Undefined for the header and for pages. */
function readRedirect(line: string): Redirect | undefined {
  if (!/^\{"id":\d+,"kind":"redirect"/.test(line)) return undefined;
  const { type, source, target, status } = JSON.parse(line) as Redirect;
  return { type, source, target, status };
}

function createFilter({ types, statuses, search = "" }: ExportFilter): (redirect: Redirect) => boolean {
  const wanted = search.toLowerCase();
  return ({ type, source, target, status }) =>
    (types === undefined || types.includes(type)) &&
    (statuses === undefined || statuses.includes(status)) &&
    (wanted === "" || source.toLowerCase().includes(wanted) || target.toLowerCase().includes(wanted));
}

interface Writer {
  readonly head: string;
  row(redirect: Redirect, isFirst: boolean): string;
  readonly foot: string;
}

const writers: Readonly<Record<ExportFormat, Writer>> = {
  tsv: separated("\t"),
  csv: separated(","),
  json: {
    head: "[",
    row: (redirect, isFirst) => `${isFirst ? "\n" : ",\n"}${JSON.stringify(redirect)}`,
    foot: "\n]\n",
  },
};

function separated(separator: string): Writer {
  const row = (cells: readonly string[]): string => `${cells.map(quote).join(separator)}\n`;
  return {
    head: row(["type", "source", "target", "status"]),
    row: ({ type, source, target, status }) => row([type, source, target, status]),
    foot: "",
  };
}

/** Quotes as in RFC 4180 where a reader could misunderstand. */
function quote(cell: string): string {
  return /["\t,;\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
