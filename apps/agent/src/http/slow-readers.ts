import type { Duplex } from "node:stream";

/** Clients that do not take what waits for them: looked for now and then, without a timer each. */
export interface SlowReaders {
  /** A connection, or a stream to which nothing is added any more. */
  watch(writable: Duplex): void;
  forget(writable: Duplex): void;
  /** Cuts those that are too slow. `now` and `readMs` in ms; 0 is without limit. */
  look(now: number, readMs: number): void;
}

interface Reader {
  /** What had been taken, up to a constant, when last looked. */
  taken: number;
  /** When more must have been; 0 while nothing waits. */
  deadline: number;
}

/** A piece is taken as a whole or not at all, as far as one can see; a larger one than most has more time. */
const pieceBytes = 64 * 1024;
const bytesPerMs = 1024 / 1000;

export function createSlowReaders(cut: (writable: Duplex) => void): SlowReaders {
  const readers = new Map<Duplex, Reader>();
  return {
    watch: (writable) => void readers.set(writable, { taken: 0, deadline: 0 }),
    forget: (writable) => void readers.delete(writable),
    look(now, readMs) {
      for (const [writable, reader] of readers) {
        const waiting = writable.writableLength;
        if (waiting === 0 || readMs === 0) {
          reader.deadline = 0;
          continue;
        }
        const taken = (bytesWritten(writable) ?? 0) - waiting;
        if (reader.deadline === 0 || taken !== reader.taken) {
          reader.taken = taken;
          reader.deadline = now + readMs + Math.max(0, waiting - pieceBytes) / bytesPerMs;
        } else if (now >= reader.deadline) {
          readers.delete(writable);
          cut(writable);
        }
      }
    },
  };
}

/** What was ever written to a socket, what waits included. */
function bytesWritten(writable: Duplex): number | undefined {
  return (writable as Duplex & { readonly bytesWritten?: number }).bytesWritten;
}
