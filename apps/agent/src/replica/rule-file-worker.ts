/** A thread that reads and parses one file of rules, and hands over its items in batches as they are asked for. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import type { Item } from "@posthouse/protocol";
import { parseRules } from "@posthouse/rules";
import { readStableFile } from "../core/stable-file.ts";
import { type ServedProblem, shownProblems } from "./problems.ts";
import { ruleFileFormat } from "./rule-file-format.ts";

export interface RuleFileTask {
  readonly path: string;
  readonly maxBytes: number;
  readonly knownHash: string | undefined;
  readonly patternSize: number | undefined;
}

/** One `head`, or `known` or `failed`; after a head `items` for each "next", then `end`. */
export type RuleFileMessage =
  | { readonly type: "known" }
  | { readonly type: "failed"; readonly reason: string }
  | {
      readonly type: "head";
      readonly hash: string;
      /** The first of them. */
      readonly problems: readonly ServedProblem[];
      readonly problemCount: number;
    }
  /** `lines`: where each item stands in the file. */
  | {
      readonly type: "items";
      readonly items: readonly Item[];
      readonly lines: readonly number[];
    }
  | { readonly type: "end" };

const batchSize = 200;

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
const { path, maxBytes, knownHash, patternSize } = workerData as RuleFileTask;

interface ReadFile {
  readonly items: Item[];
  /** By item, where it stands in the file. */
  readonly lines: number[];
  readonly problems: ServedProblem[];
}

/** Entries of a file as the items of a project: ids are positions, redirects before pages. */
function readItems(bytes: Buffer): ReadFile {
  const format = ruleFileFormat(path);
  if (format === undefined) throw new Error("its name tells no format");
  const { redirects, pages, lines, errors, warnings } = parseRules(
    bytes.toString("utf8"),
    format,
    patternSize === undefined ? {} : { patternSize },
  );
  const read: ReadFile = { items: [], lines: [], problems: [] };
  let id = 0;
  const add = (item: Item, line = 0): void => {
    if (isText(item)) {
      read.items.push(item);
      read.lines.push(line);
    } else {
      const message = "The entry holds bytes that are not UTF-8.";
      read.problems.push({ severity: "error", code: "ENTRY_NOT_UTF8", line, message });
    }
  };
  for (const [at, redirect] of redirects.entries())
    add({ id: ++id, kind: "redirect", ...redirect }, lines.redirects[at]);
  for (const [at, page] of pages.entries()) add({ id: ++id, kind: "page", ...page }, lines.pages[at]);
  for (const error of errors) read.problems.push({ severity: "error", ...error });
  for (const warning of warnings) read.problems.push({ severity: "warning", ...warning });
  return read;
}

/** What is no UTF-8 was decoded to U+FFFD. */
const isText = (item: Item): boolean =>
  !(item.kind === "redirect" ? item.source + item.target : item.path + item.content).includes("\uFFFD");

async function* messages(): AsyncGenerator<RuleFileMessage> {
  const bytes = await readStableFile(path, maxBytes);
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash === knownHash) {
    yield { type: "known" };
    return;
  }
  const { items, lines, problems } = readItems(bytes);
  yield { type: "head", hash, problems: problems.slice(0, shownProblems), problemCount: problems.length };
  for (let from = 0; from < items.length; from += batchSize) {
    const to = from + batchSize;
    yield { type: "items", items: items.slice(from, to), lines: lines.slice(from, to) };
  }
  yield { type: "end" };
}

const source = messages();
const send = async (): Promise<void> => {
  try {
    const { value, done } = await source.next();
    if (done !== true) port.postMessage(value);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const reason = isMissing ? "ENOENT" : error instanceof Error ? error.message : String(error);
    port.postMessage({ type: "failed", reason } satisfies RuleFileMessage);
  }
};
port.on("message", () => void send());
void send();
