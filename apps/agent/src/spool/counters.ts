/** What a spool has done since it was opened. Plain numbers: whoever shows them reads them when asked. */
export interface SpoolCounters {
  /** Records that became durable. */
  recordsIn: number;
  /** Bytes written, headers included. */
  bytesIn: number;
  recordsSettled: number;
  /** Records that were refused or could not be written; their appenders were told. */
  recordsRejected: number;
  /** Records that were durable and could not be read back; their segment is set aside. */
  recordsDamaged: number;
  /** Bytes behind the last whole record of the newest segment, cut off when it was opened. */
  bytesCut: number;
  /** Groups written. `recordsIn / syncs`: records of a group. */
  syncs: number;
  /** Records of the largest group. */
  largestGroup: number;
  writeErrors: number;
  readErrors: number;
  /** Failed attempts to note what is settled, or to unlink; tried again. */
  settleErrors: number;
}

export function createCounters(): SpoolCounters {
  return {
    recordsIn: 0,
    bytesIn: 0,
    recordsSettled: 0,
    recordsRejected: 0,
    recordsDamaged: 0,
    bytesCut: 0,
    syncs: 0,
    largestGroup: 0,
    writeErrors: 0,
    readErrors: 0,
    settleErrors: 0,
  };
}

/** How a spool stands at the moment. */
export interface SpoolGauges {
  /** Durable and not settled. */
  readonly records: number;
  /** On disk; what is settled stays until all of its segment is. */
  readonly bytes: number;
  /** Waiting for the disk. */
  readonly pendingBytes: number;
  /** Kept in memory, what waits included. */
  readonly memoryBytes: number;
  /** Of the oldest record that is not settled, to a second; after a restart, of its segment. */
  readonly oldestAgeMs: number;
  readonly segments: number;
}
