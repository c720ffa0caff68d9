/** Whether a spool has room for more: full at the high marks, and not full again before the low ones. */
export interface Room {
  readonly isFull: boolean;
  /** Looks at the figures again. */
  update(): void;
  /** Calls back each time there is room again; returns what ends that. */
  onRoom(listener: () => void): () => void;
}

/** A figure that makes a spool full at `highBytes`. */
export interface Level {
  readonly highBytes: number;
  readonly lowBytes: number;
  bytes(): number;
}

/** `isBlocked`: nothing can be written, whatever the levels say. */
export function createRoom(levels: readonly Level[], isBlocked: () => boolean): Room {
  let isFull = false;
  const listeners = new Set<() => void>();
  return {
    get isFull() {
      return isFull;
    },
    update() {
      if (isBlocked() || levels.some(({ bytes, highBytes }) => bytes() >= highBytes)) isFull = true;
      else if (isFull && levels.every(({ bytes, lowBytes }) => bytes() <= lowBytes)) {
        isFull = false;
        for (const listener of [...listeners]) queueMicrotask(listener);
      }
    },
    onRoom(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
