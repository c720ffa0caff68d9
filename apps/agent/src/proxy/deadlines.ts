/** Ends what takes too long: one timer for all running requests, instead of one each. */
export interface Deadlines {
  add(entry: Timed): void;
  remove(entry: Timed): void;
  readonly size: number;
  start(): void;
  /** Ends what still runs. */
  stop(): void;
}

export interface Timed {
  /** By `performance.now()`. */
  deadline: number;
  onDeadline(): void;
  /** Nobody watches over it from now on. */
  onStop(): void;
}

const everyMs = 100;

/** `onTick` is called between, for other things that grow old. */
export function createDeadlines(onTick: (now: number) => void = () => {}): Deadlines {
  const entries = new Set<Timed>();
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    const now = performance.now();
    for (const entry of entries) if (entry.deadline <= now) entry.onDeadline();
    onTick(now);
  }

  return {
    add: (entry) => void entries.add(entry),
    remove: (entry) => void entries.delete(entry),
    get size() {
      return entries.size;
    },
    start() {
      timer ??= setInterval(tick, everyMs).unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      for (const entry of entries) entry.onStop();
    },
  };
}
