/** What a test and the swarm's process say to each other. */

/** Times are milliseconds of the system's steady clock, `steadyNow()` in both processes. */
export const steadyNow = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

export interface SwarmGroup {
  readonly kind: "server" | "client";
  /** `ws://127.0.0.1:PORT`. */
  readonly url: string;
  readonly secret: string;
  readonly count: number;
  /** New connections a second; all at once when left out. */
  readonly ratePerSecond?: number;
  /** Flags that every full answer must hold. */
  readonly flags: number;
  /** How many users the client SDKs stand for, as `makeUser` makes them; one each when left out. */
  readonly users?: number;
  /** Comes back after a close as SDKs do: after 1, 3, 5, 7, 11, 13, 30, 60 s; never after 4003. */
  readonly comesBack?: boolean;
}

/** How many did something, and when the first, the middle, the last but one in a hundred, and the last did. */
export interface Arrivals {
  readonly count: number;
  /** Those that should have and did not: closed, or too late. */
  readonly missing: number;
  readonly first: number;
  readonly median: number;
  readonly p99: number;
  readonly last: number;
}

export interface SwarmReport {
  readonly sockets: number;
  readonly open: number;
  /** Have had an answer to their data-sync since they opened last. */
  readonly synced: number;
  readonly frozen: number;
  readonly messages: Readonly<Record<"full" | "patch" | "pong" | "other", number>>;
  /** Patches that brought nothing newer: duplicates, old ones, empty ones. */
  readonly stalePatches: number;
  /** Answers that a test must look at, counted, and the first few. */
  readonly wrong: number;
  readonly wrongSamples: readonly string[];
  /** Pings that had no pong when the next was due. */
  readonly missingPongs: number;
  /** By code. */
  readonly closes: Readonly<Record<string, number>>;
  /** Upgrades that were refused, by status, and connections that failed, by the system's word. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Of the swarm's own process. */
  readonly rssBytes: number;
  readonly cpuMs: number;
}

export interface SwarmCommands {
  /** Begins to open the sockets of a group. */
  connect(group: SwarmGroup): undefined;
  /** Waits until every socket that reads has its answer; counted from the connect or reset before. */
  awaitSynced(deadlineMs: number): Arrivals;
  /** Waits until every socket that reads was told something of this time or newer. */
  awaitVersion(timestamp: number, deadlineMs: number): Arrivals;
  /** So many open sockets stop reading for good; they are waited for no more. */
  freeze(count: number): undefined;
  /** How many of the frozen ones the other side has let go: found by writing to them. */
  droppedFrozen(): number;
  /** All are reset and opened again at once; `from` is what SDKs ask for: everything, or what is newer. */
  reconnect(from: "zero" | "last"): undefined;
  report(): SwarmReport;
}

export type SwarmRequest = {
  [K in keyof SwarmCommands]: {
    readonly id: number;
    readonly name: K;
    readonly args: Parameters<SwarmCommands[K]>;
  };
}[keyof SwarmCommands];

export interface SwarmReply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}
