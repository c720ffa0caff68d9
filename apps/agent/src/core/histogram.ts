/** Counts by size, without a list of values: an observation is a walk over a few bounds. */
export class Histogram {
  readonly bounds: readonly number[];
  /** One more than bounds: what is above the last. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] as number)) index++;
    this.counts[index] = (this.counts[index] as number) + 1;
    this.sum += value;
  }
}

interface SampleValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** As Prometheus wants them: cumulative, with the sum and the count. */
export function histogramValues(
  name: string,
  labels: Readonly<Record<string, string>>,
  {
    bounds,
    counts,
    sum,
  }: {
    readonly bounds: readonly number[];
    readonly counts: Iterable<number>;
    readonly sum: number;
  },
): SampleValue[] {
  const values: SampleValue[] = [];
  let total = 0;
  for (const [index, count] of [...counts].entries()) {
    total += count;
    const le = String(bounds[index] ?? "+Inf");
    values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
  }
  values.push({ metricName: `${name}_sum`, labels, value: sum });
  values.push({ metricName: `${name}_count`, labels, value: total });
  return values;
}
