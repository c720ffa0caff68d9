import type { HttpFailure, HttpReply } from "./http-target.ts";
import type { SinkOutcome } from "./sink.ts";

/** Statuses after which the same may succeed by itself. */
export function isLater(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** A status and the beginning of what came with it, on one line. */
export function statusReason({ status, text }: HttpReply): string {
  const said = text.replace(/\s+/g, " ").trim().slice(0, 120);
  return said === "" ? String(status) : `${status}: ${said}`;
}

export function failedOutcome({ reason, isCutOff }: HttpFailure): SinkOutcome {
  return { kind: "failed", reason, mayBeContent: isCutOff };
}
