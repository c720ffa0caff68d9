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
    const placeholder = placeholderOf(group);
    let at = text.indexOf(placeholder);
    if (at < 0) continue;
    const value = captures[group] ?? "";
    let filled = "";
    let from = 0;
    for (; at >= 0; at = text.indexOf(placeholder, from)) {
      filled += text.slice(from, at) + value;
      from = at + 2;
      if (filled.length > longestTarget) return undefined;
    }
    text = filled + text.slice(from);
  }
  return text.length > longestTarget ? undefined : text;
}

const firstPlaceholders = Array.from({ length: 32 }, (_, group) => `$${String.fromCharCode(48 + group)}`);

function placeholderOf(group: number): string {
  return firstPlaceholders[group] ?? `$${String.fromCharCode(48 + group)}`;
}
