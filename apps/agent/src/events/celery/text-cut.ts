/** The first `count` characters (code points), at most. */
export function cutCharacters(text: string, count: number): string {
  if (text.length <= count) return text;
  let end = 0;
  for (let left = count; left > 0 && end < text.length; left--) {
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  }
  return text.slice(0, end);
}

/**
 * The longest keyword that Leek's search index takes, in bytes of UTF-8: with a longer one the API answers 201 but stores
 * neither the document nor those that follow it.
 */
const longestKeywordBytes = 32_766;

/** A text as an index can take it as a keyword; only a longer one is cut. */
export function cutKeyword(text: string): string {
  if (text.length * 3 <= longestKeywordBytes || Buffer.byteLength(text) <= longestKeywordBytes) return text;
  const bytes = Buffer.from(text);
  let end = longestKeywordBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}
