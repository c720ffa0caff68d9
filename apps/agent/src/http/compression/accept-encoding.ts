import { memoise } from "../../core/memo.ts";

export type Encoding = "br" | "zstd" | "gzip";

/** In the order in which they are chosen where the client has no preference. */
const offered: readonly Encoding[] = ["br", "zstd", "gzip"];
const quality = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * The encoding that a client prefers of those there are, or undefined for none (RFC 9110, 12.5.3). What is not named is
 * as `*` says, and without `*` not accepted; an element that is odd counts as not there.
 */
export const preferredEncoding: (acceptEncoding: string) => Encoding | undefined = memoise(500, (header) => {
  const weights = new Map<string, number>();
  for (const element of header.toLowerCase().split(",")) {
    const [name = "", ...parameters] = element.split(";").map((part) => part.trim());
    const weight = weightOf(parameters);
    if (name !== "" && weight !== undefined) weights.set(name === "x-gzip" ? "gzip" : name, weight);
  }
  const rest = weights.get("*") ?? 0;
  let best: Encoding | undefined;
  let highest = Math.max(weights.get("identity") ?? 0, Number.MIN_VALUE);
  for (const encoding of offered) {
    const weight = weights.get(encoding) ?? rest;
    if (best === undefined ? weight >= highest : weight > highest) {
      best = encoding;
      highest = weight;
    }
  }
  return best;
});

function weightOf(parameters: readonly string[]): number | undefined {
  if (parameters.length === 0) return 1;
  const [, weight] = (parameters.length === 1 && quality.exec(parameters[0] ?? "")) || [];
  return weight === undefined ? undefined : Number(weight);
}
