/** `leek-api-process.ts`: a Leek API that keeps no documents but counts them, in a process of its own (`leek-api-peer.ts`). */

import { startLeekApi } from "./leek-api.ts";
import type { IndexedDocument } from "./leek-index.ts";

/** What came since it was asked to forget. */
export interface LeekApiFigures {
  readonly documents: number;
  /** By what the documents say, those that came twice counted twice. */
  readonly events: number;
  /** Events by task and state, each counted once. */
  readonly identities: number;
  /** When requests were answered with 201, and the events until then. */
  readonly arrivals: readonly (readonly [atMs: number, events: number])[];
}

export type LeekApiOrder = "figures" | "forget" | "down" | "up";

const states = [
  "QUEUED",
  "RECEIVED",
  "STARTED",
  "SUCCEEDED",
  "FAILED",
  "REJECTED",
  "REVOKED",
  "RETRY",
  "CANCELLED",
];
let documents = 0;
let events = 0;
let identities = 0;
let arrivals: [number, number][] = [];
let seen = new Map<string, number>();

function count(posted: readonly IndexedDocument[]): void {
  for (const document of posted) {
    documents++;
    events += Number(document.events_count);
    const { events: merged = [] } = document as { events?: readonly string[] };
    const before = seen.get(String(document.id)) ?? 0;
    let after = before;
    for (const state of merged) after |= 1 << states.indexOf(state);
    if (after === before) continue;
    for (let added = after ^ before; added !== 0; added &= added - 1) identities++;
    seen.set(String(document.id), after);
  }
  arrivals.push([performance.timeOrigin + performance.now(), events]);
}

const api = await startLeekApi({ isForgetful: true, onStored: count });
process.on("disconnect", () => process.exit(0));
process.on("message", (order: LeekApiOrder) => {
  if (order === "forget") {
    documents = events = identities = 0;
    arrivals = [];
    seen = new Map();
  } else if (order === "down") api.faults.always = { kind: "resets" };
  else if (order === "up") api.faults.always = undefined;
  const figures: LeekApiFigures = {
    documents,
    events,
    identities,
    arrivals: order === "figures" ? arrivals : [],
  };
  process.send?.(figures);
});
process.send?.({ url: api.url });
