import { md5Start } from "./md5.ts";

/** Where a key stands in a rollout, from 0 to 1, both included (4.5). */
export function rolloutOf(key: string): number {
  return Math.abs(md5Start(key) / -2_147_483_648);
}

/** Tells whether a range takes everybody, so that no hash is needed. */
export function isWholeRange(min: number, max: number): boolean {
  return min === 0 && 1 - max < 1e-5;
}
