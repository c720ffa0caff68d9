/** Text that a target may grow to, in UTF-16 units; a longer one is refused. */
const longestTarget = 16_384;

/**
 * Fills captures into a target as Flecto does: for the highest group first, every `$` followed by the character
 * 48 + group is replaced, so that text which a higher group captured is read again for lower ones.
 * `undefined`: the result would be too long.
 */
export function substitute(target: string, captures: readonly (string | undefined)[]): string | undefined {
  let text = target;
  if (!text.includes("$")) return text;
  for (let group = captures.length - 1; group > 0; group--) {
    const parts = text.split(`$${String.fromCharCode(48 + group)}`);
    if (parts.length === 1) continue;
    const value = captures[group] ?? "";
    if (text.length + (parts.length - 1) * value.length > longestTarget) return undefined;
    text = parts.join(value);
  }
  return text;
}
