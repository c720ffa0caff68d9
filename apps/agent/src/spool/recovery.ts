/**
 * What a directory holds when it is opened. Segments before the newest are complete and end with a mark that says so;
 * what lacks it is looked through. The newest is looked through as well, cut after its last whole record, and complete
 * from then on: what is appended goes into the next.
 */
import { join } from "node:path";
import type { Log } from "@posthouse/service";
import type { SpoolCounters } from "./counters.ts";
import { type Disk, isCode, readEnds, unlinkIfThere, writeAll } from "./disk.ts";
import { readEndMark, readSegmentHeader, scanSegment, segmentHeaderBytes } from "./record.ts";
import { endMark, Segment, segmentName, segmentSuffix, settledSuffix } from "./segment.ts";

export interface RecoveryOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly counters: SpoolCounters;
  readonly log: Log;
}

export interface Recovered {
  /** By position; each has records. */
  readonly segments: Segment[];
  /** The next position to be given. */
  readonly next: number;
}

export const damagedSuffix = ".damaged";
const segmentPattern = new RegExp(`^(\\d{16})\\${segmentSuffix}$`);
const settledPattern = new RegExp(`^(\\d{16})\\${settledSuffix}$`);

export async function recoverSegments(options: RecoveryOptions): Promise<Recovered> {
  const { directory, disk } = options;
  const names = await disk.readdir(directory);
  const firsts = names.flatMap((name) => segmentPattern.exec(name)?.[1] ?? []).toSorted();
  const segments: Segment[] = [];
  let next = 1;
  for (const [at, name] of firsts.entries()) {
    const first = Number(name);
    const after = firsts[at + 1];
    const segment =
      after === undefined
        ? await recoverNewest(options, first)
        : await recoverOlder(options, first, Number(after));
    next = first + (segment?.count ?? 0);
    if (segment !== undefined && segment.count > 0) segments.push(segment);
  }
  await removeOrphans(options, names, new Set(segments.map(({ first }) => segmentName(first))));
  return { segments, next };
}

/** `end`: where the next segment that is there begins; those between may have been settled. */
async function recoverOlder(
  { directory, disk, counters, log }: RecoveryOptions,
  first: number,
  end: number,
): Promise<Segment | undefined> {
  const path = join(directory, segmentName(first) + segmentSuffix);
  const { header, mark, size } = await readEnds(disk, path);
  const segment = header?.first === first ? new Segment(directory, header) : undefined;
  if (segment !== undefined) {
    segment.size = size;
    segment.count =
      readEndMark(mark, segment.salt) ?? scanSegment(await disk.readFile(path), segment.salt).count;
    if (readEndMark(mark, segment.salt) === undefined && segment.count < end - first)
      segment.isDamaged = true;
  }
  const missing = segment === undefined || segment.isDamaged ? end - first - (segment?.count ?? 0) : 0;
  counters.recordsDamaged += missing;
  if (missing > 0 && (segment?.count ?? 0) > 0)
    log.error({ file: path, records: missing }, "the end of a segment of the spool is missing");
  else if (missing > 0) await setAside({ disk, log }, path, `all its records, up to ${missing}`);
  if (segment !== undefined) await loadSettled(disk, segment);
  return segment;
}

async function recoverNewest(
  { directory, disk, counters, log }: RecoveryOptions,
  first: number,
): Promise<Segment | undefined> {
  const path = join(directory, segmentName(first) + segmentSuffix);
  const bytes = await disk.readFile(path);
  const header = readSegmentHeader(bytes);
  if (header?.first !== first) {
    // Its name alone still says which position is next.
    if (bytes.length > segmentHeaderBytes) await setAside({ disk, log }, path, "all its records");
    return undefined;
  }
  const segment = new Segment(directory, header);
  const { count, end } = scanSegment(bytes, header.salt);
  segment.count = count;
  segment.size = bytes.length;
  if (readEndMark(bytes.subarray(end), header.salt) === undefined) {
    const cut = bytes.length - end;
    counters.bytesCut += cut;
    if (cut > 0) log.info({ file: path, bytes: cut }, "a write that was not finished is cut off the spool");
    if (count > 0) await complete(disk, segment, end);
  }
  await loadSettled(disk, segment);
  return segment;
}

/** A disk without room for the mark is no harm: the segment is looked through again. */
async function complete(disk: Disk, segment: Segment, end: number): Promise<void> {
  const handle = await disk.open(segment.path, "r+");
  try {
    await handle.truncate(end);
    segment.size = end;
    const mark = endMark(segment);
    await writeAll(handle, [mark], end).then(
      () => {
        segment.size += mark.length;
      },
      () => handle.truncate(end),
    );
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function loadSettled(disk: Disk, segment: Segment): Promise<void> {
  try {
    segment.loadSettled(await disk.readFile(segment.settledPath));
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
}

/** Keeps a segment out of the way, for a person to look into. */
export async function setAside(
  { disk, log }: Pick<RecoveryOptions, "disk" | "log">,
  path: string,
  what: string,
): Promise<void> {
  try {
    await disk.rename(path, path + damagedSuffix);
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
    return;
  }
  log.error({ file: path + damagedSuffix }, `a segment of the spool is damaged and set aside: ${what}`);
}

/** Files of settled records whose segment is gone, and older segments without records. */
async function removeOrphans(
  { directory, disk }: RecoveryOptions,
  names: readonly string[],
  kept: ReadonlySet<string>,
): Promise<void> {
  const newest = names
    .filter((name) => segmentPattern.test(name))
    .toSorted()
    .at(-1);
  for (const name of names) {
    const of = settledPattern.exec(name)?.[1] ?? segmentPattern.exec(name)?.[1];
    if (of !== undefined && !kept.has(of) && name !== newest)
      await unlinkIfThere(disk, join(directory, name));
  }
}
