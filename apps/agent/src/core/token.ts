import { createHash, timingSafeEqual } from "node:crypto";
import type { Secret } from "@posthouse/service";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Whether two secrets are the same. Takes the same time for each. */
export function isSameSecret(given: string, wanted: Secret): boolean {
  return timingSafeEqual(digest(given), digest(wanted.reveal()));
}
