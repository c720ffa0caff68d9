import * as z from "zod";

/**
 * A snapshot and the changes between two versions travel, and lie on disk, as text lines: one header, then one line
 * per item in id order (`formatItem`; a deletion is `{"id":7,"deleted":true}`), each ended by a newline. Both are
 * gzip-compressed on disk; over HTTP, as Content-Encoding says.
 */
export interface SnapshotHeader {
  readonly posthouse: "snapshot";
  readonly format: 1;
  readonly namespace: string;
  readonly project: string;
  readonly version: number;
  /** Root of the hash tree over the items (`hash-tree.ts`), 64 hexadecimal digits. */
  readonly hash: string;
  readonly items: number;
}

/** Header of `GET …/changes?from=N`: what turns version `from` into version `to`, whose hash is `hash`. */
export interface ChangesHeader {
  readonly posthouse: "changes";
  readonly format: 1;
  readonly from: number;
  readonly to: number;
  readonly hash: string;
  readonly items: number;
}

const version = z.int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

export const snapshotHeaderSchema: z.ZodType<SnapshotHeader> = z.object({
  posthouse: z.literal("snapshot"),
  format: z.literal(1),
  namespace: z.string(),
  project: z.string(),
  version,
  hash,
  items: z.int().min(0),
});

export const changesHeaderSchema: z.ZodType<ChangesHeader> = z.object({
  posthouse: z.literal("changes"),
  format: z.literal(1),
  from: version,
  to: version,
  hash,
  items: z.int().min(0),
});

/** Data of the push event `version` (`GET …/events`, server-sent events). */
export interface VersionEvent {
  readonly version: number;
  readonly hash: string;
}
export const versionEventSchema: z.ZodType<VersionEvent> = z.object({ version, hash });
