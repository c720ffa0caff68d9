/**
 * A thread that reads one large document and hands over its items in batches as they are asked for: a message of
 * FeatBit, a bootstrap, or the file of mode `offline`, whichever of its four forms that has.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { createGunzip } from "node:zlib";
import { isPosthouseError } from "@posthouse/protocol";
import { readStableFile } from "../../core/stable-file.ts";
import {
  type DumpEnvironment,
  parseDump,
  parseJsonDocument,
  parseSentDump,
  parseVersionOneDump,
  reveal,
  type SentItem,
  type SentSecret,
} from "./dump.ts";
import { describeItem } from "./dump-compiler.ts";
import { readSnapshot } from "./snapshot-text.ts";

export type DumpTask =
  /** A message of upstream: only a full sync is handed over. */
  | { readonly from: "message"; readonly bytes: Uint8Array }
  /** A bootstrap. */
  | { readonly from: "document"; readonly bytes: Uint8Array }
  | {
      readonly from: "file";
      readonly path: string;
      readonly maxBytes: number;
      readonly knownHash: string | undefined;
    };

/** `DumpEnvironment` as it travels between threads. */
export interface SentPiece extends Required<Pick<DumpEnvironment, "envId" | "place" | "unreadableSecrets">> {
  readonly secrets: readonly SentSecret[];
  readonly mark: number | undefined;
  readonly featureFlags: readonly SentItem[];
  readonly segments: readonly SentItem[];
}

/** A head, then a piece for each "next", then `end`; or one of the others alone. */
export type DumpMessage =
  | { readonly type: "head"; readonly hash: string }
  | { readonly type: "piece"; readonly piece: SentPiece }
  | { readonly type: "end" }
  /** The file has the hash that is known, or the message is no full sync. */
  | { readonly type: "nothing" }
  | {
      readonly type: "failed";
      readonly reason: string;
      /** Of an error of ours. */
      readonly code: string | undefined;
      readonly hint: string | undefined;
    };

const batchSize = 100;

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
const task = workerData as DumpTask;

async function* messages(): AsyncGenerator<DumpMessage> {
  const bytes = task.from === "file" ? await readStableFile(task.path, task.maxBytes) : task.bytes;
  const hash = task.from === "file" ? createHash("sha256").update(bytes).digest("hex") : "";
  const environments =
    task.from === "file" && hash === task.knownHash ? undefined : await readEnvironments(bytes);
  if (environments === undefined) return yield { type: "nothing" };
  yield { type: "head", hash };
  for (const [index, each] of environments.entries()) {
    for (const piece of cut(each, index)) yield { type: "piece", piece };
  }
  yield { type: "end" };
}

async function readEnvironments(bytes: Uint8Array): Promise<readonly DumpEnvironment[] | undefined> {
  if (task.from === "message") return readFullSync(bytes);
  if (task.from === "document") return parseDump(parseJsonDocument(decode(bytes)));
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return await readCopy(bytes, task.path);
  if (decode(bytes.subarray(0, 15)) === "SQLite format 3") return readDatabase(task.path);
  const document = parseJsonDocument(decode(bytes));
  return Array.isArray(document) ? parseVersionOneDump(document) : parseDump(document);
}

function readFullSync(bytes: Uint8Array): readonly DumpEnvironment[] | undefined {
  const message = parseJsonDocument(decode(bytes)) as {
    messageType?: unknown;
    data?: { eventType?: unknown };
  };
  if (message?.messageType !== "data-sync" || message.data?.eventType !== "rp_full") return undefined;
  return parseSentDump(message.data);
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A copy that an agent of ours wrote. */
async function readCopy(bytes: Uint8Array, path: string): Promise<DumpEnvironment[]> {
  const text = createGunzip();
  text.end(bytes);
  const { pieces } = await readSnapshot(text, path);
  const environments: DumpEnvironment[] = [];
  for await (const piece of pieces()) environments.push(piece);
  return environments;
}

interface StoredItem {
  readonly EnvId: string;
  readonly Type: string;
  readonly JsonBytes: Uint8Array | string;
}

/** The database of FeatBit Agent v1 (1.6). A journal beside it belongs to it. */
function readDatabase(path: string): DumpEnvironment[] {
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.searchParams.set("immutable", "1");
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    const rows = database.prepare("SELECT EnvId, Type, JsonBytes FROM StoreItems").all();
    const environments = new Map<string, { envId: string; flags: unknown[]; segments: unknown[] }>();
    for (const { EnvId, Type, JsonBytes } of rows as unknown as readonly StoredItem[]) {
      const envId = EnvId.toLowerCase();
      const environment = environments.get(envId) ?? { envId, flags: [], segments: [] };
      environments.set(envId, environment);
      const item = parseJsonDocument(typeof JsonBytes === "string" ? JsonBytes : decode(JsonBytes));
      (/flag/i.test(Type) ? environment.flags : environment.segments).push(item);
    }
    return [...parseVersionOneDump([...environments.values()])];
  } finally {
    database.close();
  }
}

function* cut(environment: DumpEnvironment, item: number): Generator<SentPiece> {
  const { envId, secrets, unreadableSecrets = 0, mark, featureFlags, segments } = environment;
  const most = Math.max(featureFlags.length, segments.length, 1);
  for (let from = 0; from < most; from += batchSize) {
    const batch = (list: readonly unknown[]): SentItem[] => list.slice(from, from + batchSize).map(send);
    yield {
      envId,
      secrets: from === 0 ? secrets.map(reveal) : [],
      unreadableSecrets: from === 0 ? unreadableSecrets : 0,
      mark: from + batchSize >= most ? mark : undefined,
      featureFlags: batch(featureFlags),
      segments: batch(segments),
      place: { item, featureFlags: from, segments: from },
    };
  }
}

function send(entry: unknown): SentItem {
  const { id, environment, time } = describeItem(entry);
  return { id, environment, time, text: JSON.stringify(entry) };
}

const source = messages();
const post = async (): Promise<void> => {
  try {
    const { value, done } = await source.next();
    if (done !== true) port.postMessage(value);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const reason = isMissing ? "ENOENT" : error instanceof Error ? error.message : String(error);
    const { code, hint } = isPosthouseError(error) ? error : {};
    port.postMessage({ type: "failed", reason, code, hint } satisfies DumpMessage);
  }
};
port.on("message", () => void post());
void post();
