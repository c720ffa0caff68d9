/** What a bench is and what it yields. A bench is a file `NAME.bench.ts` that exports `bench`. */
export interface Bench {
  readonly description: string;
  run(context: BenchContext): AsyncIterable<BenchCase>;
}

export interface BenchContext {
  /** Folder with real data; without it the bench makes data of the same shape. */
  readonly data: string | undefined;
  /** Interleaved rounds: ours, peer, ours, peer … */
  readonly rounds: number;
  /** Of the benches that last a given time; undefined: as long as they want. */
  readonly seconds?: number | undefined;
  /** Tells what is going on (standard error). */
  progress(text: string): void;
}

/** One figure side by side. The runner adds the budget. */
export interface BenchCase {
  readonly case: string;
  readonly metric: string;
  readonly ours: number;
  readonly peer: number;
  /** ours / peer; the median of the rounds' ratios where there are rounds. */
  readonly ratio: number;
}

export interface JudgedCase extends BenchCase {
  /** Greatest ratio allowed; null for a case that only informs. */
  readonly budget: number | null;
  readonly ok: boolean;
}

/** Thrown by a bench that cannot run here, such as without its peer. */
export class BenchSkipped extends Error {
  override readonly name = "BenchSkipped";
}
