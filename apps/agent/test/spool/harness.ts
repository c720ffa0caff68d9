import * as promises from "node:fs/promises";
import { type FileHandle, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@posthouse/service";
import { onTestFinished } from "vitest";
import type { Disk } from "../../src/spool/disk.ts";
import type { SpoolRecord } from "../../src/spool/reader.ts";
import { createSpool, type Spool, type SpoolOptions } from "../../src/spool/spool.ts";

export const silent: ReturnType<typeof createLog> = createLog({ level: "silent", format: "json" });

/** A directory that goes when the test is over. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-spool-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "queue");
}

/** A spool that runs until the test is over. */
export async function openSpool(
  directory: string,
  options: Partial<SpoolOptions> = {},
): Promise<Spool & AsyncDisposable> {
  const spool = createSpool({ directory, maxBytes: 64 * 2 ** 20, log: silent, ...options });
  await spool.start();
  onTestFinished(() => spool.stop(5000));
  return Object.assign(spool, { [Symbol.asyncDispose]: () => spool.stop(5000) });
}

/** All records that are not settled, from the oldest on. */
export async function readAll(spool: Spool): Promise<SpoolRecord[]> {
  spool.rewind();
  const records: SpoolRecord[] = [];
  while (records.length < spool.gauges().records) records.push(...(await spool.read({ maxRecords: 100 })));
  return records;
}

export const textOf = ({ payload }: SpoolRecord): string => Buffer.from(payload).toString();

export const textsOf = async (spool: Spool): Promise<string[]> => (await readAll(spool)).map(textOf);

export const positionsOf = (records: readonly SpoolRecord[]): number[] =>
  records.map(({ position }) => position);

export const positionsUpTo = (last: number): number[] =>
  Array.from({ length: last }, (_, index) => index + 1);

/** The files of a directory whose names end like this, with their paths, in order. */
export async function filesOf(directory: string, suffix: string): Promise<string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => name.endsWith(suffix))
    .toSorted()
    .map((name) => join(directory, name));
}

type Step = "write" | "writev" | "datasync" | "sync" | "truncate" | "read" | "close";

/** The real disk, on which `before` each step of an open file may wait or fail. */
export function interceptedDisk(before: (step: Step, path: string) => Promise<void> | void): Disk {
  return {
    ...promises,
    open: (async (...args: Parameters<typeof promises.open>) => {
      const handle = await promises.open(...args);
      const path = String(args[0]);
      return new Proxy(handle, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== "function") return value;
          return async (...given: unknown[]) => {
            await before(name as Step, path);
            return Reflect.apply(value, target, given);
          };
        },
      }) as FileHandle;
    }) as typeof promises.open,
  };
}

export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
