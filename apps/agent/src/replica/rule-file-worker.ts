/** A thread that reads and parses one file of rules, and hands over its items in batches as they are asked for. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { Item, Page, Redirect } from "@posthouse/protocol";
import { parseRules, type RuleFileError } from "@posthouse/rules";
import { fileFingerprint } from "../core/file-watch.ts";
import { shownProblems } from "./problems.ts";
import { ruleFileFormat } from "./rule-file-format.ts";

export interface RuleFileTask {
  readonly path: string;
  readonly maxBytes: number;
  readonly knownHash: string | undefined;
}

/** One `head`, or `known` or `failed`; after a head `items` for each "next", then `end`. */
export type RuleFileMessage =
  | { readonly type: "known" }
  | { readonly type: "failed"; readonly reason: string }
  | {
      readonly type: "head";
      readonly hash: string;
      /** The first of them. */
      readonly errors: readonly RuleFileError[];
      readonly errorCount: number;
    }
  /** `lines`: where each item stands in the file. */
  | {
      readonly type: "items";
      readonly items: readonly Item[];
      readonly lines: readonly (number | undefined)[];
    }
  | { readonly type: "end" };

const batchSize = 200;
const readAttempts = 25;
const readAgainMs = 200;

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
const { path, maxBytes, knownHash } = workerData as RuleFileTask;

/** Reads until the file was the same before and after: it may be being written. */
async function readWhole(): Promise<Buffer> {
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    const { size } = await stat(path);
    if (size > maxBytes) throw new Error(`it is larger than ${maxBytes / 2 ** 20} MiB`);
    const before = await fileFingerprint(path);
    const bytes = await readFile(path);
    if (before === (await fileFingerprint(path))) return bytes;
    await setTimeout(readAgainMs);
  }
  throw new Error("it is being written all the time");
}

/** Entries of a file as the items of a project: ids are positions, redirects before pages. */
function* readItems(
  bytes: Buffer,
  errors: RuleFileError[],
): Generator<{ item: Item; line: number | undefined }> {
  const format = ruleFileFormat(path);
  if (format === undefined) throw new Error("its name tells no format");
  const file = parseRules(bytes.toString("utf8"), format);
  errors.push(...file.errors);
  let id = 0;
  const isText = (entry: Redirect | Page, line: number | undefined): boolean => {
    if (!Object.values(entry).some((value) => value.includes("\uFFFD"))) return true;
    errors.push({ line: line ?? id, message: "it holds bytes that are not UTF-8" });
    return false;
  };
  for (const redirect of file.redirects) {
    id++;
    if (isText(redirect, undefined)) yield { item: { id, kind: "redirect", ...redirect }, line: undefined };
  }
  for (const page of file.pages) {
    id++;
    if (isText(page, undefined)) yield { item: { id, kind: "page", ...page }, line: undefined };
  }
}

async function* messages(): AsyncGenerator<RuleFileMessage> {
  const bytes = await readWhole();
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash === knownHash) {
    yield { type: "known" };
    return;
  }
  const errors: RuleFileError[] = [];
  const all = [...readItems(bytes, errors)];
  yield { type: "head", hash, errors: errors.slice(0, shownProblems), errorCount: errors.length };
  for (let from = 0; from < all.length; from += batchSize) {
    const batch = all.slice(from, from + batchSize);
    yield { type: "items", items: batch.map(({ item }) => item), lines: batch.map(({ line }) => line) };
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
