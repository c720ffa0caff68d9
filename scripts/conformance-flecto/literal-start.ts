/**
 * The literal text with which every match of a pattern begins; empty where there is none. Read from the pattern's text
 * alone, and not by the matcher that is judged with it: it gives up (with less, never with more) at anything but
 * letters, escaped punctuation and plain groups.
 */
export function literalStart(pattern: string): string {
  if (pattern.includes("|")) return "";
  let found = "";
  let rest = pattern;
  for (;;) {
    const [group] = /^\((?:\?:|\?P?<\w+>)?(?!\?)/.exec(rest) ?? [];
    if (group !== undefined) {
      // Only a group around everything: what follows a smaller one may repeat it.
      if (!/^[^()\\[\]]*\)$/.test(rest.slice(group.length))) return found;
      rest = rest.slice(group.length, -1);
      continue;
    }
    const [, literal, escaped] = /^(?:([^\\^$.|?*+()[\]{}])|\\([^A-Za-z0-9]))/su.exec(rest) ?? [];
    const character = literal ?? escaped;
    if (character === undefined) return found;
    rest = rest.slice(character.length + (escaped === undefined ? 0 : 1));
    if (/^[?*{]/.test(rest)) return found;
    found += character;
    if (rest.startsWith("+")) return found;
  }
}
