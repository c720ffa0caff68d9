/** Nobody waits longer for one answer. */
const longestMs = 10 * 60_000;

/** Milliseconds that a header `Retry-After` asks for, ten minutes at most; undefined when it says nothing. */
export function parseRetryAfter(value: string | string[] | undefined, now: number): number | undefined {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (text === undefined || text === "") return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(longestMs, Math.max(0, ms));
}
