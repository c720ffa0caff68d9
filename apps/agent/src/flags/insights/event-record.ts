/** An event as it stands in the spool: a line of JSON about it, then its own JSON. */
export interface EventRecord {
  /** When it arrived, ms since 1970. */
  readonly at: number;
  /** `project:environment`. */
  readonly environment: string;
  readonly envId: string;
  /** The environment's secret, for those that are forwarded. */
  readonly key?: string;
  /** JSON. */
  readonly event: string;
}

export function encodeEvent({ event, ...head }: EventRecord): Buffer {
  return Buffer.from(`${JSON.stringify(head)}\n${event}`);
}

/** Undefined when it is not what `encodeEvent` writes. */
export function decodeEvent(payload: Uint8Array): EventRecord | undefined {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
  const end = text.indexOf("\n");
  try {
    const head = JSON.parse(text.slice(0, end)) as Omit<EventRecord, "event">;
    return typeof head.at === "number" ? { ...head, event: text.slice(end + 1) } : undefined;
  } catch {
    return undefined;
  }
}
