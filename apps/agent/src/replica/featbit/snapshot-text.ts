/**
 * The copy on disk as lines: a header with a hash over all that follows, then for each environment its line, with its
 * secrets and its mark, and a line for each of its segments and flags as they came from upstream.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { agentErrors } from "../../core/errors.ts";
import { createSlices } from "../../core/slices.ts";
import { type DumpEnvironment, hide, reveal, type SentSecret } from "./dump.ts";
import type { FlagState } from "./flag-state.ts";

export interface SnapshotHeader {
  readonly posthouse: "flags";
  readonly format: 1;
  /** The newest change it holds, in ms. */
  readonly version: number;
  /** When FeatBit was last heard to say so, as far as the writer knew; null: never. */
  readonly syncedAt: string | null;
  /** SHA-256 of all later lines, in hex. */
  readonly hash: string;
}

const headerSchema: z.ZodType<SnapshotHeader> = z.object({
  posthouse: z.literal("flags"),
  format: z.literal(1),
  version: z.number(),
  syncedAt: z.iso.datetime().nullable(),
  hash: z.string().length(64),
});

const blockLength = 64 * 1024;

/** Makes the header, which takes one walk through all lines, in slices. */
export async function describeSnapshot(
  state: FlagState,
  syncedAt: Date | undefined,
): Promise<SnapshotHeader> {
  const slices = createSlices();
  const hash = createHash("sha256");
  for (const line of bodyLines(state)) {
    hash.update(line);
    if (slices.isDue()) await slices.pause();
  }
  return {
    posthouse: "flags",
    format: 1,
    version: state.dataVersion,
    syncedAt: syncedAt?.toISOString() ?? null,
    hash: hash.digest("hex"),
  };
}

/** The whole text, in blocks, made in slices. Throws what the signal is aborted with. */
export async function* snapshotText(
  state: FlagState,
  header: SnapshotHeader,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const slices = createSlices();
  let block = `${JSON.stringify(header)}\n`;
  for (const line of bodyLines(state)) {
    block += line;
    if (block.length >= blockLength) {
      yield block;
      block = "";
    }
    if (slices.isDue()) {
      await slices.pause();
      signal?.throwIfAborted();
    }
  }
  yield block;
}

function* bodyLines({ environments, flagSet }: FlagState): Generator<string> {
  for (const [id, { envId, secrets, mark }] of environments) {
    yield `environment ${JSON.stringify({ envId, mark, secrets: secrets.map(reveal) })}\n`;
    const items = flagSet.environments.get(id);
    for (const { json } of items?.segments.values() ?? []) yield `segment ${json}\n`;
    for (const { json } of items?.flags.values() ?? []) yield `flag ${json}\n`;
  }
}

/** A copy that is being read: its header, then its pieces. These end with an error when the hash is another. */
export interface SnapshotReader {
  readonly header: SnapshotHeader;
  pieces(): AsyncGenerator<DumpEnvironment>;
  /** For who wants no pieces: lets go of the file. */
  close(): Promise<void>;
}

const pieceLength = 50;

/** Reads the header. Throws FLAGS_SNAPSHOT_DAMAGED, as the pieces do. */
export async function readSnapshot(text: AsyncIterable<Uint8Array>, file: string): Promise<SnapshotReader> {
  const lines = splitLines(text);
  const failing = async <T>(read: () => Promise<T> | T): Promise<T> => {
    try {
      return await read();
    } catch (cause) {
      await lines.return(undefined).catch(() => {});
      const reason = cause instanceof SyntaxError ? "a line is not JSON" : reasonOf(cause);
      throw agentErrors.create("FLAGS_SNAPSHOT_DAMAGED", { file, reason });
    }
  };
  const header = await failing(async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("it is empty");
    const read = headerSchema.safeParse(JSON.parse(value));
    if (!read.success) throw new Error("its first line is not the header of a copy of flags");
    return read.data;
  });
  const body = readPieces(lines, header);
  return {
    header,
    async *pieces() {
      for (;;) {
        const { value, done } = await failing(() => body.next());
        if (done === true) return;
        yield value;
      }
    },
    close: async () => void (await lines.return(undefined).catch(() => {})),
  };
}

interface Piece {
  readonly envId: string;
  readonly secrets: readonly SentSecret[];
  readonly mark: number;
  readonly featureFlags: unknown[];
  readonly segments: unknown[];
}

async function* readPieces(
  lines: AsyncIterable<string>,
  { hash: expected }: SnapshotHeader,
): AsyncGenerator<DumpEnvironment> {
  const hash = createHash("sha256");
  let piece: Piece | undefined;
  const finish = ({ secrets, ...rest }: Piece): DumpEnvironment => ({ ...rest, secrets: secrets.map(hide) });
  for await (const line of lines) {
    hash.update(line).update("\n");
    const space = line.indexOf(" ");
    const value: unknown = JSON.parse(line.slice(space + 1));
    const kind = line.slice(0, space);
    if (kind === "environment") {
      if (piece !== undefined) yield finish(piece);
      piece = { ...(value as Piece), featureFlags: [], segments: [] };
      continue;
    }
    if (piece === undefined) throw new Error("an item stands before its environment");
    (kind === "flag" ? piece.featureFlags : piece.segments).push(value);
    if (piece.featureFlags.length + piece.segments.length < pieceLength) continue;
    yield finish(piece);
    piece = { ...piece, secrets: [], featureFlags: [], segments: [] };
  }
  if (hash.digest("hex") !== expected) throw new Error("its hash is another");
  if (piece !== undefined) yield finish(piece);
}

const longestLine = 32 * 1024 * 1024;

async function* splitLines(text: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  for await (const chunk of text) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > longestLine) throw new Error("a line is too long");
    yield* parts;
  }
  if (rest + decoder.decode() !== "") throw new Error("its last line is cut off");
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
