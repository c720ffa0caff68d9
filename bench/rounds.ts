import type { BenchCase } from "./bench.ts";

/** Figures of one round, by metric. */
export type Figures = Readonly<Record<string, number>>;

/** Measures two sides in turn, so that what else the machine does meets both: ours, peer, ours, peer … */
export async function interleave(
  rounds: number,
  ours: (round: number) => Promise<Figures>,
  peer: (round: number) => Promise<Figures>,
): Promise<{ ours: Figures[]; peer: Figures[] }> {
  const figures = { ours: [] as Figures[], peer: [] as Figures[] };
  for (let round = 1; round <= rounds; round++) {
    figures.ours.push(await ours(round));
    figures.peer.push(await peer(round));
  }
  return figures;
}

/** One case per metric: the medians of both sides, and the median of the rounds' ratios. */
export function* compare(
  name: string,
  ours: readonly Figures[],
  peer: readonly Figures[],
): Generator<BenchCase> {
  for (const metric of Object.keys(ours[0] ?? {})) {
    const pairs = ours.map((figures, round): [number, number] => [
      figures[metric] ?? Number.NaN,
      peer[round]?.[metric] ?? Number.NaN,
    ]);
    yield {
      case: name,
      metric,
      ours: median(pairs.map(([value]) => value)),
      peer: median(pairs.map(([, value]) => value)),
      ratio: median(pairs.map(([a, b]) => a / b)),
    };
  }
}

/** The middle value, the mean of the two middle ones where their number is even; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}
