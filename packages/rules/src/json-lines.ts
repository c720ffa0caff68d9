/** The line on which each entry of a file's lists starts; the text is valid JSON. */
export interface EntryLines {
  redirects: number[];
  pages: number[];
}

const token = /"(?:[^"\\]|\\.)*"|[[\]{},:\n]|[^\s"[\]{},:]+/gs;

/** Reads `[entry, …]`, or an object of such lists; the whole of it is redirects in the first case. */
export function findEntryLines(text: string): EntryLines {
  const lists: Record<string, number[]> = {};
  let line = 1;
  let depth = 0;
  let list = "redirects";
  let listDepth = 0;
  let isEntryNext = false;
  for (const [piece] of text.matchAll(token)) {
    if (piece === "\n") {
      line += 1;
      continue;
    }
    if (isEntryNext && piece !== "]") lists[list]?.push(line);
    isEntryNext = false;
    if (piece === "[" || piece === "{") {
      depth += 1;
      if (piece === "{" && depth === 1) listDepth = 2;
      if (piece === "[" && depth === 1) listDepth = 1;
      if (piece === "[" && depth === listDepth) {
        lists[list] = [];
        isEntryNext = true;
      }
    } else if (piece === "]" || piece === "}") depth -= 1;
    else if (piece === "," && depth === listDepth) isEntryNext = true;
    else if (piece.startsWith('"') && depth === 1 && listDepth === 2) list = JSON.parse(piece) as string;
  }
  return { redirects: lists.redirects ?? [], pages: lists.pages ?? [] };
}

const value =
  /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/uy;

/** The line of the first thing that keeps a text from being JSON. */
export function findFaultLine(text: string): number {
  const closers: string[] = [];
  let at = 0;
  let expected: "value" | "key" | "colon" | "comma" = "value";
  let mayClose = false;
  for (;;) {
    while (/[ \t\r\n]/.test(text[at] ?? "")) at += 1;
    const character = text[at] ?? "";
    const closer = closers.at(-1);
    if (mayClose && character === closer) {
      closers.pop();
      at += 1;
      expected = "comma";
      mayClose = true;
    } else if (expected === "colon" && character === ":") {
      at += 1;
      expected = "value";
    } else if (expected === "comma" && character === "," && closer !== undefined) {
      at += 1;
      expected = closer === "}" ? "key" : "value";
      mayClose = false;
    } else if (expected === "value" && (character === "[" || character === "{")) {
      closers.push(character === "[" ? "]" : "}");
      at += 1;
      expected = character === "[" ? "value" : "key";
      mayClose = true;
    } else {
      value.lastIndex = at;
      const found =
        expected === "value" || (expected === "key" && character === '"') ? value.exec(text) : null;
      if (found === null) return text.slice(0, at).split("\n").length;
      at += found[0].length;
      mayClose = expected === "value";
      expected = expected === "key" ? "colon" : "comma";
    }
  }
}
