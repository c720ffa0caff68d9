/**
 * The spool beside a bare loop that writes the same bytes in groups as large and calls fdatasync after each: what
 * checksums, places, acknowledgements and segments cost. A budget stands for 25,000 records a second as well.
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@posthouse/service";
import { createSpool, type Spool } from "../apps/agent/src/spool/spool.ts";
import type { Bench, BenchContext } from "./bench.ts";
import { compare, type Figures, interleave, median } from "./rounds.ts";

interface Sizes {
  readonly records: number;
  /** Appends that wait for their acknowledgement at the same time. */
  readonly inFlight: number;
}

const recordBytes = 500;
const askedPerSecond = 25_000;

export const bench: Bench = createSpoolBench({ records: 200_000, inFlight: 1000 });

export function createSpoolBench(sizes: Sizes): Bench {
  return {
    description: "the queue on disk: records of 500 bytes, beside a bare loop of write and fdatasync",
    async *run(context) {
      const appended = await measureBeside(context, sizes, "one append a record", appendEach);
      yield* compare("one append a record", appended.ours, appended.peer);
      const perSecond = median(
        appended.ours.map((figures) => 1e6 / (figures["µs per record"] ?? Number.NaN)),
      );
      yield {
        case: "one append a record",
        metric: "records a second (asked)",
        ours: perSecond,
        peer: askedPerSecond,
        ratio: askedPerSecond / perSecond,
      };
      const bulk = await measureBeside(context, sizes, "one append a group", appendGroups);
      yield* compare("one append a group", bulk.ours, bulk.peer);
      const through = await measureBeside(context, sizes, "appended, read, settled", async (spool, given) => {
        await Promise.all([appendEach(spool, given), consume(spool, given.records)]);
      });
      yield* compare("appended, read, settled", through.ours, through.peer);
    },
  };
}

function measureBeside(
  { rounds, progress }: BenchContext,
  sizes: Sizes,
  name: string,
  work: (spool: Spool, sizes: Sizes) => Promise<void>,
): Promise<{ ours: Figures[]; peer: Figures[] }> {
  const told = async (side: string, round: number, measure: () => Promise<Figures>): Promise<Figures> => {
    const figures = await measure();
    const texts = Object.entries(figures).map(([metric, value]) => `${value.toFixed(2)} ${metric}`);
    progress(`${name}, ${side}, round ${round}/${rounds}: ${texts.join(", ")}`);
    return figures;
  };
  return interleave(
    rounds,
    (round) => told("spool", round, () => inFolder((folder) => measureSpool(folder, sizes, work))),
    (round) => told("bare loop", round, () => inFolder((folder) => measureBare(folder, sizes))),
  );
}

async function measureSpool(
  folder: string,
  sizes: Sizes,
  work: (spool: Spool, sizes: Sizes) => Promise<void>,
): Promise<Figures> {
  const log = createLog({ level: "error", format: "json" });
  const spool = createSpool({ directory: join(folder, "queue"), maxBytes: 4 * 2 ** 30, log });
  await spool.start();
  const figures = await timed(sizes.records, () => work(spool, sizes));
  const { recordsIn } = spool.counters;
  await spool.stop(10_000);
  if (recordsIn !== sizes.records) throw new Error(`${recordsIn} of ${sizes.records} records were written`);
  return figures;
}

async function appendEach(spool: Spool, { records, inFlight }: Sizes): Promise<void> {
  const record = Buffer.alloc(recordBytes, "e");
  let left = records;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await spool.append(record);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

async function appendGroups(spool: Spool, { records, inFlight }: Sizes): Promise<void> {
  const group = Array.from({ length: inFlight }, () => Buffer.alloc(recordBytes, "e"));
  for (let left = records; left > 0; left -= inFlight) await spool.append(group.slice(0, left));
}

async function consume(spool: Spool, count: number): Promise<void> {
  for (let left = count; left > 0; ) {
    const records = await spool.read();
    left -= records.length;
    spool.settle(records.map(({ position }) => position));
  }
}

/** The least that is durable: no length, checksum or acknowledgement of a record. */
async function measureBare(folder: string, { records, inFlight }: Sizes): Promise<Figures> {
  const handle = await open(join(folder, "bare"), "w");
  const group = Buffer.alloc(recordBytes * inFlight, "e");
  try {
    return await timed(records, async () => {
      for (let left = records, at = 0; left > 0; left -= inFlight) {
        const length = recordBytes * Math.min(left, inFlight);
        await handle.write(group, 0, length, at);
        await handle.datasync();
        at += length;
      }
    });
  } finally {
    await handle.close();
  }
}

async function timed(records: number, work: () => Promise<void>): Promise<Figures> {
  const begun = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return {
    "µs per record": ((performance.now() - begun) * 1000) / records,
    "CPU µs per record": (user + system) / records,
  };
}

async function inFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-spool-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
