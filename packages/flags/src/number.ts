// NumberStyles.Float | AllowThousands, invariant culture: spec 4.3.
const decimal = /^[\t-\r ]*([+-]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)[\t-\r ]*\0*$/i;
const symbol = /^\s*([+-]?)(infinity|nan)\s*$/i;

/** A number as .NET's double.TryParse reads it; NaN for what it refuses, since either makes a comparison false. */
export function parseDouble(text: string): number {
  const digits = decimal.exec(text)?.[1];
  if (digits !== undefined) return Number(digits.includes(",") ? digits.replaceAll(",", "") : digits);
  const named = symbol.exec(text);
  if (named === null || named[2]?.toLowerCase() === "nan") return Number.NaN;
  return named[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
