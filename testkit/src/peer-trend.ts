/** Slope of the straight line through points (milliseconds, value) by least squares, per hour; 0 of fewer than two. */
export function slopePerHour(points: readonly (readonly [atMs: number, value: number])[]): number {
  const count = points.length;
  const mean = (read: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + read(point), 0) / count;
  const meanAt = mean(([at]) => at);
  const meanValue = mean(([, value]) => value);
  const spread = points.reduce((sum, [at]) => sum + (at - meanAt) ** 2, 0);
  if (count < 2 || spread === 0) return 0;
  const together = points.reduce((sum, [at, value]) => sum + (at - meanAt) * (value - meanValue), 0);
  return (together / spread) * 3_600_000;
}
