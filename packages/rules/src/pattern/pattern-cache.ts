import { type CompiledPattern, compilePattern } from "./compiled-pattern.ts";

/** What a rule keeps for the cache. */
export interface CachedPattern {
  readonly source: string;
  compiled: CompiledPattern | undefined;
  generation: number;
}

/** Compiles on first use and forgets what was not used for long. */
export interface PatternCache {
  compiled(pattern: CachedPattern): CompiledPattern;
}

/**
 * At most `limit` compiled patterns are kept, in two generations: when the younger is full the older is dropped, but
 * for what was used since. A use costs one comparison.
 */
export function createPatternCache(limit: number): PatternCache {
  const half = Math.max(1, Math.floor(limit / 2));
  let generation = 1;
  let young: CachedPattern[] = [];
  let old: CachedPattern[] = [];

  function turn(): void {
    for (const pattern of old) if (pattern.generation < generation) pattern.compiled = undefined;
    old = young;
    young = [];
    generation += 1;
  }

  return {
    compiled(pattern) {
      const compiled = pattern.compiled ?? compilePattern(pattern.source);
      pattern.compiled = compiled;
      if (pattern.generation !== generation) {
        pattern.generation = generation;
        young.push(pattern);
        if (young.length >= half) turn();
      }
      return compiled;
    },
  };
}
