import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Harness } from "./manager-harness.ts";

interface Size {
  /** Of the database and its log. */
  readonly fileBytes: number;
  /** Of pages that hold something: a file with free pages does not grow until they are used. */
  readonly usedBytes: number;
}

export interface Growth {
  /** Before, and after each round. */
  readonly sizes: readonly Size[];
  readonly publishMs: readonly number[];
}

/** Publishes one change after another, and says what each round of them added to the database. */
export async function measureGrowth(
  harness: Harness,
  ids: readonly number[],
  { rounds, publishes }: { rounds: number; publishes: number },
): Promise<Growth> {
  const sizes = [await sizeOf(harness)];
  const publishMs: number[] = [];
  for (let index = 0; index < rounds * publishes; index += 1) {
    const id = ids[(index * 7919) % ids.length];
    const { type, source, status } = (await harness.project("GET", `/redirects/${id}`)).json;
    const target = `https://www.example.org/changed/${index}`;
    await harness.project("PUT", `/redirects/${id}`, { type, source, target, status });
    const begun = performance.now();
    const published = await harness.project("POST", "/publish");
    publishMs.push(performance.now() - begun);
    if (published.status !== 200) throw new Error(`publish: ${published.json.code}`);
    if ((index + 1) % publishes === 0) sizes.push(await sizeOf(harness));
  }
  return { sizes, publishMs };
}

async function sizeOf(harness: Harness): Promise<Size> {
  await harness.restart(); // closing writes the log into the database
  const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const database = new DatabaseSync(harness.databasePath, { readOnly: true });
  const pragma = (name: string): number =>
    Number(Object.values(database.prepare(`pragma ${name}`).get() ?? {})[0]);
  const usedBytes = (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
  database.close();
  return { fileBytes: size(harness.databasePath) + size(`${harness.databasePath}-wal`), usedBytes };
}
