/** Texts in JSON as Python writes it, looked at without parsing them into values. All linear in the text. */

/** Parses JSON; Python's NaN and Infinity become numbers that are not finite. Undefined when it is no JSON. */
export function parsePythonJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    if (!text.includes("NaN") && !text.includes("Infinity")) return undefined;
  }
  try {
    return { value: JSON.parse(withoutWords(text)) };
  } catch {
    return undefined;
  }
}

/** 1e999 stands for NaN and Infinity: JSON.parse makes Infinity of it. */
function withoutWords(text: string): string {
  let out = "";
  let at = 0;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    const end = quote === -1 ? text.length : quote;
    out += text.slice(at, end).replace(/NaN|Infinity/g, "1e999");
    at = quote === -1 ? end : stringEnd(text, quote);
    out += text.slice(end, at);
  }
  return out;
}

/** The source texts of the items of an array, given the text of a valid JSON array. */
export function itemSources(text: string): string[] {
  const sources: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = stringEnd(text, at) - 1;
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (depth++ === 0) start = at + 1;
        break;
      case 0x2c: // ,
        if (depth === 1) {
          sources.push(text.slice(start, at).trim());
          start = at + 1;
        }
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (--depth === 0) {
          const last = text.slice(start, at).trim();
          if (last !== "") sources.push(last);
        }
    }
  }
  return sources;
}

/** Where the string that begins at the quote ends, past its closing quote. */
function stringEnd(text: string, quote: number): number {
  let at = quote + 1;
  for (;;) {
    const end = text.indexOf('"', at);
    if (end === -1) return text.length;
    let before = end - 1;
    while (before > quote && text.charCodeAt(before) === 0x5c) before--;
    if ((end - before) % 2 === 1) return end + 1;
    at = end + 1;
  }
}
