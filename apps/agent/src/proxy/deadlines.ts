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
  /** Where it stands in the list; the list's own. */
  place: number;
  onDeadline(): void;
  /** Nobody watches over it from now on. */
  onStop(): void;
}

const everyMs = 100;

/**
 * `onTick` is called between, for other things that grow old. A list in which the last one takes the place of one that
 * leaves: of a Set that many pass through, V8 links each outgrown table to the next, so that once one is old, what passes
 * through later outlives the young generation too, and costs half as much CPU again.
 */
export function createDeadlines(onTick: (now: number) => void = () => {}): Deadlines {
  const entries: Timed[] = [];
  let timer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Immediate | undefined;

  function tick(): void {
    const now = performance.now();
    forEach((entry) => {
      if (entry.deadline <= now) entry.onDeadline();
    });
    onTick(now);
  }

  /** From the end, so that whoever leaves meanwhile is replaced by one that had its turn. */
  function forEach(use: (entry: Timed) => void): void {
    for (let place = entries.length - 1; place >= 0; place--) {
      const entry = entries[place];
      if (entry !== undefined) use(entry);
    }
  }

  return {
    add(entry) {
      entry.place = entries.push(entry) - 1;
    },
    remove(entry) {
      if (entries[entry.place] !== entry) return;
      const last = entries.pop();
      if (last === undefined || last === entry) return;
      entries[entry.place] = last;
      last.place = entry.place;
    },
    get size() {
      return entries.length;
    },
    start() {
      // Not at once: what has arrived while the process could not run is read first, so that nobody is ended for that.
      timer ??= setInterval(() => {
        soon = setImmediate(tick);
      }, everyMs).unref();
    },
    stop() {
      clearInterval(timer);
      clearImmediate(soon);
      timer = undefined;
      forEach((entry) => entry.onStop());
    },
  };
}
