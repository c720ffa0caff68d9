/** What a request body must average. */
export interface BodyRate {
  /** 0: there is no such limit. */
  readonly minBodyBytesPerSecond: number;
  /** How far ahead of its bytes a body may fall behind, in ms. */
  readonly clientMs: number;
}

/**
 * When a body is too slow, by `performance.now()`, now that `bytes` more of it have come: each byte buys time, so that
 * the average is kept, and what is bought ends one `clientMs` from now, so that nobody saves up for a pause.
 * `before` is what this said last; infinity at the start, and whenever it was not the client who was slow.
 */
export function bodyDeadline(before: number, bytes: number, now: number, rate: BodyRate): number {
  const { minBodyBytesPerSecond: least, clientMs } = rate;
  return least === 0 ? Number.POSITIVE_INFINITY : Math.min(before + (bytes * 1000) / least, now + clientMs);
}
