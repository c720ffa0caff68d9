import type { PosthouseError } from "@posthouse/protocol";
import { agentErrors } from "../../core/errors.ts";
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

/** Why a receiver is not taken, with what is to be done about its status. */
export function refusesError(
  target: URL,
  answer: HttpReply,
  reason: string = statusReason(answer),
): PosthouseError {
  const values = { url: target.origin + target.pathname, reason };
  const hint = hintOf(answer.status);
  return agentErrors.create("EVENTS_TARGET_REFUSES", values, hint === undefined ? {} : { hint });
}

function hintOf(status: number): string | undefined {
  if (status === 401 || status === 403) return "check the key or secret";
  if (status === 404) return "the application must exist there, or the address is another's";
  if (status >= 300 && status < 400) return "redirects are not followed: give the address to which it leads";
  if (status === 408 || status === 429) return "it takes no more at the moment: try again later";
  if (status >= 500) return "it fails, or a proxy in front of it: see its log, and try again";
  if (status >= 400) return "it does not take such requests: check that the address is that of the receiver";
  return undefined;
}

export function failedOutcome({ reason, isCutOff }: HttpFailure): SinkOutcome {
  return { kind: "failed", reason, mayBeContent: isCutOff };
}
