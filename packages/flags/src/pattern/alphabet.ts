import type { Dialect } from "./re2-source.ts";
import { formatRanges } from "./re2-source.ts";
import { boundaryUnits, createUnitSet, hasUnit, newlineSet, type UnitSet } from "./unit-set.ts";

/** Rewrites a pattern and its texts in an alphabet that has one symbol for all units that the pattern does not tell apart. */
export interface Alphabet {
  readonly dialect: Dialect;
  rewrite(text: string): string;
}

const wordSymbols = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
const firstOther = 0xe001;
const mostOthers = 6000;
const innerNewline = 0xe000;

/**
 * RE2 knows words of ASCII only, has no `$` that looks past a final newline, and takes two units for one character.
 * With symbols in place of units all three come right: parts of words get symbols that RE2 takes for parts of words, a
 * newline that is not the last unit gets another symbol than the last, so that RE2's end of a line is .NET's `$`, and
 * every unit is one symbol. Undefined when the pattern tells more units apart than there are symbols.
 */
export function createAlphabet(
  sets: Iterable<UnitSet>,
  options: { readonly hasWords: boolean; readonly hasFinalEnd: boolean },
): Alphabet | undefined {
  const all = [...sets, newlineSet];
  if (options.hasWords) all.push(boundaryUnits());
  const starts = [...new Set([0, ...all.flatMap(startsOf)])]
    .filter((start) => start <= 0xffff)
    .sort((a, b) => a - b);
  const bySignature = new Map<string, number>();
  const symbols: number[] = [];
  let words = 0;
  let others = 0;
  for (const start of starts) {
    const signature = all.map((set) => (hasUnit(set, start) ? "1" : "0")).join("");
    let symbol = bySignature.get(signature);
    if (symbol === undefined) {
      if (start === 10) symbol = 10;
      else if (options.hasWords && signature.endsWith("1")) symbol = wordSymbols.charCodeAt(words++);
      else symbol = firstOther + others++;
      if (Number.isNaN(symbol) || others > mostOthers) return undefined;
      bySignature.set(signature, symbol);
    }
    symbols.push(symbol);
  }

  function symbolOf(unit: number): number {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= unit) low = middle;
      else high = middle;
    }
    return symbols[low] as number;
  }

  return {
    dialect: {
      finalEnd: "(?m:$)",
      set(set) {
        const members = new Set<number>();
        for (const [index, start] of starts.entries())
          if (hasUnit(set, start)) members.add(symbols[index] as number);
        if (options.hasFinalEnd && members.has(10)) members.add(innerNewline);
        return formatRanges(
          members.size === 0 ? [0, 0] : createUnitSet([...members].flatMap((one) => [one, one])),
        );
      },
    },
    rewrite(text) {
      let rewritten = "";
      for (let at = 0; at < text.length; at++) {
        const symbol = symbolOf(text.charCodeAt(at));
        const isInner = symbol === 10 && options.hasFinalEnd && at < text.length - 1;
        rewritten += String.fromCharCode(isInner ? innerNewline : symbol);
      }
      return rewritten;
    },
  };
}

function startsOf(set: UnitSet): number[] {
  return set.map((bound, index) => (index % 2 === 0 ? bound : bound + 1));
}
