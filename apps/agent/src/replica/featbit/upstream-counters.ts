/** What came from FeatBit, since the process began. */
export interface UpstreamCounters {
  connects: number;
  fullSyncs: number;
  /** Answers with what is newer. */
  patches: number;
  /** Single changes as they happen. */
  pushes: number;
  unanswered: number;
  /** Messages that were left out, by reason. */
  readonly dropped: Record<DropReason, number>;
}

/** `large`: more changes at once than are applied one by one; everything is fetched instead. */
export type DropReason = "not_json" | "invalid" | "unknown_type" | "large";

export const createUpstreamCounters = (): UpstreamCounters => ({
  connects: 0,
  fullSyncs: 0,
  patches: 0,
  pushes: 0,
  unanswered: 0,
  dropped: { not_json: 0, invalid: 0, unknown_type: 0, large: 0 },
});
