import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Redirect } from "@posthouse/protocol";
import { createTsvParser } from "@posthouse/rules";

/** `redirects.tsv.gz` of a folder. Throws when a row is wrong. */
export async function readRedirects(folder: string): Promise<Redirect[]> {
  const text = gunzipSync(await readFile(join(folder, "redirects.tsv.gz"))).toString("utf8");
  const parser = createTsvParser();
  return [...parser.push(text), ...parser.end()].map((row) => {
    if ("error" in row) throw new Error(`redirects.tsv.gz, line ${row.line}: ${row.error.message}`);
    return row.redirect;
  });
}

/** Pseudo-random numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffle<T>(values: readonly T[], random: () => number): T[] {
  const shuffled = [...values];
  for (let index = shuffled.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const [a, b] = [shuffled[index] as T, shuffled[other] as T];
    shuffled[index] = b;
    shuffled[other] = a;
  }
  return shuffled;
}

/** The rule `^/old/section-N/page-N/([a-z0-9-]+)$` of a number. */
export function sectionRule(index: number): Redirect {
  const source = `^${sectionTarget(index, "([a-z0-9-]+)")}$`;
  return { type: "REGEX", source, target: "/new/$1", status: "MOVED_PERMANENT" };
}

export function sectionTarget(index: number, title: string): string {
  return `/old/section-${index % 100}/page-${Math.floor(index / 100)}/${title}`;
}

const words = (
  "about advice archive arts board budget business care case centre changes community consultation council court data " +
  "defence department detail development document education employment energy environment europe family farming finance " +
  "foreign funding government guidance health home housing income industry justice land legal library licence local " +
  "management media minister news office partners payments pensions planning policy press programme projects public " +
  "publications region report research review rural safety schools science sector service skills social speech " +
  "statistics strategy support tax trade training transport travel treasury voluntary water welfare work youth"
).split(" ");

const generatedCount = 154_295;
const hostCount = 217;

/**
 * Redirects in the shape of a government's move to one site: long host-bound paths, a third with a query string, a few
 * large hosts and many small ones, about 130 characters of text each. The same for the same seed.
 */
export function generateRedirects(count: number = generatedCount, seed = 1): Redirect[] {
  const random = createRandom(seed);
  const word = (): string => words[Math.floor(random() * words.length)] ?? "";
  const path = (parts: number): string => Array.from({ length: parts }, word).join("/");
  const hosts = Array.from({ length: hostCount }, (_, index) => `www.${word()}-${word()}${index}.example`);
  const redirects = new Map<string, Redirect>();
  while (redirects.size < count) {
    // Cubed, so that a tenth of the hosts have half of the redirects.
    const host = hosts[Math.floor(random() ** 3 * hostCount)];
    const number = Math.floor(random() * 1e9);
    const page =
      random() < 1 / 3
        ? `action/detail?itemid=${number}&type=${word()}&site=${word()}`
        : `${word()}-${number}.htm`;
    const source = `${host}/${path(2)}/${page}`;
    const target = `https://www.example.org/${path(4)}/${word()}-${word()}-${word()}`;
    redirects.set(source, { type: "BASIC_HOST", source, target, status: "MOVED_PERMANENT" });
  }
  return [...redirects.values()];
}
