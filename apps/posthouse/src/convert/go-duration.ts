const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Milliseconds of a duration as Go's `time.ParseDuration` reads it, signs included; undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  const [, sign = "", amount = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (amount === "0") return 0;
  if (amount === "") return undefined;
  let ms = 0;
  part.lastIndex = 0;
  while (part.lastIndex < amount.length) {
    const found = part.exec(amount);
    if (found === null) return undefined;
    ms += Number(found[1]) * (unitMs[found[2] ?? ""] ?? 0);
  }
  return sign === "-" ? -ms : ms;
}
