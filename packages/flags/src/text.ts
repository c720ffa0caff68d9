/** What .NET's Char.IsWhiteSpace takes for white space; JavaScript's own differs (U+0085, U+FEFF). */
const blank = /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** Tells whether a text is missing, empty or white space only. */
export function isBlank(text: string | null | undefined): boolean {
  return text === null || text === undefined || blank.test(text);
}

const combining = /^\p{M}/u;

/**
 * Starts as .NET's culture-sensitive StartsWith has it (4.3): canonically equivalent characters are equal, and a match
 * does not end inside of one, so that `e` followed by an accent does not start with `e`.
 */
export function startsWithCanonical(text: string, start: string): boolean {
  if (text.startsWith(start) && !(text.charCodeAt(start.length) >= 0x300)) return true;
  if (isAscii(text) && isAscii(start)) return false;
  const whole = text.normalize("NFD");
  const part = start.normalize("NFD");
  return part === "" || (whole.startsWith(part) && !combining.test(whole.slice(part.length)));
}

/** As startsWithCanonical, at the end. */
export function endsWithCanonical(text: string, end: string): boolean {
  if (text.endsWith(end) && !(end.charCodeAt(0) >= 0x300)) return true;
  if (isAscii(text) && isAscii(end)) return false;
  const whole = text.normalize("NFD");
  const part = end.normalize("NFD");
  return whole.endsWith(part) && (whole === part || !combining.test(part));
}

/** Tells whether every character is one of ASCII. */
export function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
